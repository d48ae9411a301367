"""The lab's programs, compiled from pinned Go modules.

All but helm share one go.mod, so that packages they have in common are compiled once.
"""

from interlock.lab.tools.build import CONTROL_PLANE, MONITORING, Progress, ensure_helm, ensure_tools, silent

__all__ = ["CONTROL_PLANE", "MONITORING", "Progress", "ensure_helm", "ensure_tools", "silent"]
