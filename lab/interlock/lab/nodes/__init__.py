"""Real nodes: kubelets and containerd with real containers, in namespaces of their own, beside the control plane.

One process of the lab (`outside`) holds all of it: with it the first process of the namespaces (`inside`) dies, and
with that every process, container, mount and network device. Nothing is put on the machine's own network; only folders
of control groups outlive their processes, and are taken away by the next one that looks (`cgroups`).
"""

from interlock.lab.nodes.possible import demand_real_nodes, real_nodes_possible

__all__ = ["demand_real_nodes", "real_nodes_possible"]
