"""Models for tests, shipped so that users can test what they build on agents: none of them thinks.

`ScriptedModel` answers from a list, `ModelServer` does so over HTTP as an OpenAI-compatible API, so that the real
client is tested, and `HostileModel` tries whatever an attacker would have it do.
"""

from interlock.agents.testing.hostile import WANTS, HostileModel, Want
from interlock.agents.testing.scripted import ScriptedModel, call, says
from interlock.agents.testing.server import ModelServer, Reply, calls_over_http, says_over_http

__all__ = [
    "WANTS",
    "HostileModel",
    "ModelServer",
    "Reply",
    "ScriptedModel",
    "Want",
    "call",
    "calls_over_http",
    "says",
    "says_over_http",
]
