"""Connections are shared, identities are not: whoever asks next on a connection is told apart by its own token only."""

import asyncio

from tests.support.identity import Json
from tests.support.installation import Installation

from interlock.crds.names import AGENTS_ACCOUNT, AGENTS_NAMESPACE, OPERATOR_ACCOUNT, OPERATOR_USER, SYSTEM_NAMESPACE
from interlock.operator.api import Api

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


async def who(api: Api) -> str:
    answer = await api.create(REVIEWS, REVIEW)
    return str(answer["status"]["userInfo"]["username"])


def token(installation: Installation, namespace: str, account: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    minted: Json = installation.admin.post(
        path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    ).body
    return str(minted["status"]["token"])


async def test_a_token_is_nobody_else_on_shared_connections(installation: Installation) -> None:
    root = await Api.connect(installation.operator_kubeconfig, 10)
    agents = root.with_token(token(installation, AGENTS_NAMESPACE, AGENTS_ACCOUNT))
    operator = root.with_token(token(installation, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT))
    try:
        asked = [agents, operator, root] * 10
        told = await asyncio.gather(*(who(api) for api in asked))
        assert told == [f"system:serviceaccount:{AGENTS_NAMESPACE}:{AGENTS_ACCOUNT}", OPERATOR_USER, OPERATOR_USER] * 10
    finally:
        await root.close()


async def test_a_token_never_borrows_the_certificate_of_who_made_it(installation: Installation) -> None:
    root = await Api.connect(installation.admin.kubeconfig, 10)
    agents = root.with_token(token(installation, AGENTS_NAMESPACE, AGENTS_ACCOUNT))
    try:
        assert await who(root) == installation.admin.name_at_the_server()
        assert await who(agents) == f"system:serviceaccount:{AGENTS_NAMESPACE}:{AGENTS_ACCOUNT}"
    finally:
        await root.close()


async def test_who_lets_a_token_go_takes_no_connection_from_others(installation: Installation) -> None:
    root = await Api.connect(installation.operator_kubeconfig, 10)
    first, second = (root.with_token(token(installation, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)) for _ in range(2))
    try:
        asking = [asyncio.create_task(who(second)) for _ in range(5)]
        await who(first)
        await first.close()
        assert await asyncio.gather(*asking) == [OPERATOR_USER] * 5
    finally:
        await root.close()
