"""A credential that is read again never becomes none: whoever asks without one is somebody else."""

from kubernetes.aio import client

from interlock.operator.api import Api, Connect
from interlock.operator.transport import Transport


def reading(*tokens: str | None) -> Connect:
    """Reads one after the other; None is a file that is gone."""
    left = list(tokens)

    async def connect() -> client.Configuration:
        token = left.pop(0)
        if token is None:
            raise OSError("gone")
        configuration = client.Configuration()
        if token:
            configuration.api_key = {"BearerToken": f"Bearer {token}"}
        return configuration

    return connect


async def test_only_another_token_takes_the_place_of_the_old_one() -> None:
    configuration = client.Configuration()
    configuration.api_key = {"BearerToken": "Bearer old"}
    api = Api(configuration, Transport(configuration, 1), connect=reading("old", None, "", "new"))
    changed = [await api._read_credential() for _ in range(4)]
    assert changed == [False, False, False, True]
    assert await api._authorization() == {"Authorization": "Bearer new"}


async def test_a_runners_token_is_never_replaced_by_the_operators() -> None:
    configuration = client.Configuration()
    api = Api(configuration, Transport(configuration, 1), connect=reading("operator"))
    runner = api.with_token("runner")
    assert not await runner._read_credential()
    assert await runner._authorization() == {"Authorization": "Bearer runner"}
