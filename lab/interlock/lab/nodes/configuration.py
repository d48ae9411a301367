"""What the programs of a node are told: containerd, its network, the kubelet."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from interlock.lab.layout import Layout
from interlock.lab.nodes.images import PAUSE
from interlock.lab.nodes.place import KUBELET_PORT, REGISTRY_PORT, address
from interlock.lab.nodes.registry import HOSTS
from interlock.lab.settings import LabSettings
from interlock.lab.tools import NodeTools

KUBELET_FOLDER: Final = Path("/var/lib/kubelet")
"""Where the kubelet sees its folder, wherever the lab is: it makes sockets there, whose paths must be short."""
_PODS_PER_NODE: Final = 100
_CONTAINERD: Final = Template("""\
version = 2
root = "$folder/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$folder/registries"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni"
    conf_dir = "$folder/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "$runc"
""")


@dataclass(frozen=True)
class Node:
    """A node of a lab, counted from 1, and the control group below which its pods have theirs."""

    layout: Layout
    name: str
    number: int
    group: str
    tools: NodeTools

    @property
    def folder(self) -> Path:
        """What it keeps: images, volumes, configuration."""
        return self.layout.data(self.name)

    @property
    def kubelet_folder(self) -> Path:
        """What the kubelet keeps."""
        return self.folder / "kubelet"

    @property
    def runtime_socket(self) -> Path:
        """Where containerd answers; hidden from the other nodes."""
        return Path("/run/containerd/containerd.sock")

    @property
    def runtime_config(self) -> Path:
        """What containerd reads."""
        return self.folder / "containerd.toml"

    @property
    def kubelet_config(self) -> Path:
        """What the kubelet reads."""
        return self.folder / "kubelet.yaml"

    @property
    def resolver(self) -> Path:
        """The node's resolv.conf."""
        return self.folder / "resolv.conf"

    @property
    def path(self) -> str:
        """PATH of its programs: containerd finds its shim, and that finds runc."""
        return os.pathsep.join((str(self.tools.containerd), str(self.tools.runc), LabSettings().path))

    @property
    def kubelet_command(self) -> list[str]:
        """The kubelet's command line."""
        return [
            str(self.tools.kubelet / "kubelet"),
            f"--config={self.kubelet_config}",
            f"--kubeconfig={self.layout.identity(self.name)}",
            f"--root-dir={KUBELET_FOLDER}",
            f"--cert-dir={self.folder / 'kubelet-pki'}",
            f"--hostname-override={self.name}",
            f"--node-ip={address(self.number)}",
        ]


def write_configuration(node: Node) -> None:
    """Everything that containerd and the kubelet of a node read."""
    for name in ("cni", "registries"):
        (node.folder / name).mkdir(exist_ok=True)
    node.runtime_config.write_text(
        _CONTAINERD.substitute(
            folder=node.folder,
            socket=node.runtime_socket,
            pause=PAUSE,
            cni=node.tools.cni,
            runc=node.tools.app / "runc-unconfined",
        )
    )
    (node.folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(node)))
    for host in HOSTS:
        _write_registry(node.folder / "registries" / host)
    node.kubelet_config.write_text(yaml.safe_dump(_kubelet(node)))


def _write_registry(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    server = f"http://127.0.0.1:{REGISTRY_PORT}"
    (folder / "hosts.toml").write_text(
        f'server = "{server}"\n[host."{server}"]\n  capabilities = ["pull", "resolve"]\n'
    )


def _network(node: Node) -> dict[str, Any]:
    """All nodes share a bridge; each has its part of the addresses."""
    addresses = {
        "subnet": "10.244.0.0/16",
        "gateway": "10.244.0.1",
        "rangeStart": f"10.244.{node.number}.1",
        "rangeEnd": f"10.244.{node.number}.250",
    }
    ipam = {"type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[addresses]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge]}


def _kubelet(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address(node.number),
        "port": KUBELET_PORT,
        "healthzPort": 0,
        # Nobody but the API server has a certificate of this authority.
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{node.layout.pki('internal-ca')}.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{node.runtime_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node.group,
        "failCgroupV1": False,
        "failSwapOn": False,
        "maxOpenFiles": 20000,
        "maxPods": _PODS_PER_NODE,
        "oomScoreAdj": 0,
        "resolvConf": str(node.resolver),
        "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # The machine's memory and disk are not the lab's alone.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Seconds where a cluster takes minutes, as everywhere in a lab.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "5m",  # of a status that is as it was
        "nodeLeaseDurationSeconds": 12,
        "podLogsDir": "/var/log/pods",
        "volumePluginDir": str(node.folder / "volume-plugins"),
        "makeIPTablesUtilChains": False,
    }
