"""A Kubernetes to try things on, and faults to inject.

Everything is real (etcd, API server, controllers, scheduler, Prometheus, Alertmanager) but the containers: nodes are
kept alive by kwok, and pods are driven by a simulated kubelet that shows what a real one would.
Start at `interlock.lab.lab`.
"""

from interlock.lab.errors import LabError
from interlock.lab.lab import Lab, lab_down, lab_up

__all__ = ["Lab", "LabError", "lab_down", "lab_up"]
