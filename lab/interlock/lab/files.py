"""Writes what the components read before they start: certificates, kubeconfigs, policies."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml

from interlock.lab.certificates import Authority, new_signing_key, write_private
from interlock.lab.kubeconfig import certificate_user, write_kubeconfig
from interlock.lab.layout import Layout
from interlock.lab.monitoring import write_monitoring
from interlock.lab.nodes.place import Place, node_names
from interlock.lab.state import Description

LOCAL = ("localhost", "127.0.0.1")
ADMIN = ("admin", ("system:masters",))
# Who the components are; kwok, the kubelet and kube-state-metrics act for all nodes and namespaces of the lab.
IDENTITIES = {
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kubelet": ("system:kubelet", ("system:masters",)),
    "kwok": ("system:kwok", ("system:masters",)),
    "kube-state-metrics": ("system:kube-state-metrics", ("system:masters",)),
}


def write_files(layout: Layout, description: Description) -> None:
    """Everything that the components of a new lab read."""
    _write_internal_certificates(layout)
    nodes = node_names(description.real_nodes)
    _write_cluster_certificates(layout, description.server, nodes)
    if nodes:
        layout.config("egress.yaml").write_text(yaml.safe_dump(_egress(Place(layout.directory))))
    for name in ("audit-policy.yaml", "kwok.yaml"):
        layout.config(name).write_text(files("interlock.lab").joinpath("config", name).read_text())
    if description.monitoring:
        write_monitoring(layout, description.ports)


def _write_internal_certificates(layout: Layout) -> None:
    """etcd and the kubelet trust an authority of their own: no user's certificate opens them."""
    internal = Authority.create("interlock-lab-internal-ca")
    layout.pki("internal-ca").with_suffix(".crt").write_bytes(internal.pair.certificate)
    internal.issue("etcd", hosts=LOCAL).write(layout.pki("etcd"))
    internal.issue("kubelet", hosts=LOCAL).write(layout.pki("kubelet"))
    internal.issue("kube-apiserver").write(layout.pki("apiserver-client"))


def _egress(place: Place) -> dict[str, Any]:
    """How the API server finds what is inside the namespaces of real nodes."""
    connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(place.to_nodes)}}}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }


def _write_cluster_certificates(layout: Layout, server: str, nodes: Sequence[str]) -> None:
    authority = Authority.create("interlock-lab-ca")
    authority.pair.write(layout.pki("ca"))
    hosts = (*LOCAL, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1")
    authority.issue("kube-apiserver", hosts=hosts).write(layout.pki("apiserver"))
    write_private(layout.pki("service-account").with_suffix(".key"), new_signing_key())
    ca = authority.pair.certificate
    kubelets = {name: (f"system:node:{name}", ("system:nodes",)) for name in nodes}
    users = {
        layout.kubeconfig: ADMIN,
        **{layout.identity(name): user for name, user in (IDENTITIES | kubelets).items()},
    }
    for path, (user, groups) in users.items():
        write_kubeconfig(path, server, ca, user, certificate_user(authority.issue(user, groups)))
