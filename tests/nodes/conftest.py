"""Fixtures for tests on real nodes: kubelets and containers, where this machine allows them.

`lab`           one lab with two real nodes for all tests, without monitoring.
`installation`  the contract in force on that lab, as in tests/cluster.
"""

import sys
from collections.abc import Iterator

import pytest
from tests.support.installation import Installation, install

from interlock.cli.releases import definitions
from interlock.lab import Lab, lab_up
from interlock.lab.nodes import real_nodes_possible
from interlock.lab.tools import ensure_node_tools


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks everything here, and leaves it out, with the reason, where there can be no real nodes."""
    reason = real_nodes_possible()
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.realnode)
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=f"no real nodes here: {reason}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles what nodes are made of before the first test, whose time-out it would break on a cold cache."""
    wanted = any(item.get_closest_marker("realnode") for item in session.items)
    if wanted and not session.config.option.collectonly and real_nodes_possible() is None:
        ensure_node_tools(lambda line: print(line, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of this run."""
    shared = lab_up(tmp_path_factory.mktemp("real") / "lab", real_nodes=2, monitoring=False, releases=(definitions(),))
    yield shared
    shared.stop()


@pytest.fixture(scope="session")
def installation(lab: Lab) -> Installation:
    """The lab with the contract in force."""
    return install(lab)
