"""Whom an installation trusts: a file that its owner mounts, never an object that those who publish could change."""

from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from interlock.crds.runbook import Risk
from interlock.crds.signing import KeyId
from interlock.crds.types import Digest, Model, Name

Substrate = Literal["simulated", "kubelet"]
POLICY_BYTES = 1 << 20


class TrustedKey(Model):
    """Somebody whose vettings are believed."""

    name: Name = Field(description="Whose key it is, for people.")
    key: KeyId = Field(description="The public key, as `interlock key new` prints it.")


class TrustPolicy(Model):
    """What an installation believes. Without a key it believes nobody."""

    keys: Annotated[list[TrustedKey], Field(max_length=32)] = Field(default=[], description="Who may attest.")
    revoked_keys: Annotated[list[KeyId], Field(max_length=256)] = Field(
        default=[], description="Keys of which nothing is believed any more, whenever it was signed."
    )
    revoked_digests: Annotated[list[Digest], Field(max_length=1024)] = Field(
        default=[], description="Runbooks that never run again, whoever attests them."
    )
    max_age_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=365, description="How long after its end a vetting is believed."
    )
    substrate: dict[Risk, Substrate] = Field(
        default={}, description="What a runbook of this risk must be proven on; simulated, where nothing is said."
    )
    kubernetes_minors: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="By how many minor versions the cluster may differ from what it was proven on."
    )

    @classmethod
    def parse(cls, content: bytes) -> "TrustPolicy":
        """The policy in a YAML file's content; an empty one trusts nobody.

        Raises:
            PolicyRefused: it is no trust policy; nothing must be believed by halves of it.
        """
        if len(content) > POLICY_BYTES:
            raise PolicyRefused(f"larger than {POLICY_BYTES} bytes")
        try:
            written = yaml.safe_load(content)
            return cls.model_validate({} if written is None else written)
        except yaml.YAMLError as wrong:
            raise PolicyRefused(f"not YAML: {wrong}") from wrong
        except ValidationError as wrong:
            said = wrong.errors(include_url=False)[0]
            raise PolicyRefused(f"{'.'.join(map(str, said['loc']))}: {said['msg']}") from wrong


class PolicyRefused(Exception):
    """A file that is no trust policy; the message says where."""
