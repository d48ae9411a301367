"""The lab's programs, compiled from pinned Go modules.

All but helm, the programs of real nodes and an older Kubernetes share one go.mod, so that packages they have in common
are compiled once.
"""

from interlock.lab.tools.build import (
    CONTROL_PLANE,
    MONITORING,
    VERSIONS,
    NodeTools,
    Progress,
    ensure_helm,
    ensure_node_tools,
    ensure_tools,
    silent,
)

__all__ = [
    "CONTROL_PLANE",
    "MONITORING",
    "VERSIONS",
    "NodeTools",
    "Progress",
    "ensure_helm",
    "ensure_node_tools",
    "ensure_tools",
    "silent",
]
