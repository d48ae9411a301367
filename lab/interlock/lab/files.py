"""Writes what the components read before they start: certificates, kubeconfigs, policies."""

from importlib.resources import files

from interlock.lab.certificates import Authority, new_signing_key, write_private
from interlock.lab.kubeconfig import certificate_user, write_kubeconfig
from interlock.lab.layout import Layout
from interlock.lab.monitoring import write_monitoring
from interlock.lab.state import Ports

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


def write_files(layout: Layout, server: str, ports: Ports, monitoring: bool) -> None:
    """Everything that the components of a new lab read."""
    _write_internal_certificates(layout)
    _write_cluster_certificates(layout, server)
    for name in ("audit-policy.yaml", "kwok.yaml"):
        layout.config(name).write_text(files("interlock.lab").joinpath("config", name).read_text())
    if monitoring:
        write_monitoring(layout, ports)


def _write_internal_certificates(layout: Layout) -> None:
    """etcd and the kubelet trust an authority of their own: no user's certificate opens them."""
    internal = Authority.create("interlock-lab-internal-ca")
    layout.pki("internal-ca").with_suffix(".crt").write_bytes(internal.pair.certificate)
    internal.issue("etcd", hosts=LOCAL).write(layout.pki("etcd"))
    internal.issue("kubelet", hosts=LOCAL).write(layout.pki("kubelet"))
    internal.issue("kube-apiserver").write(layout.pki("apiserver-client"))


def _write_cluster_certificates(layout: Layout, server: str) -> None:
    authority = Authority.create("interlock-lab-ca")
    authority.pair.write(layout.pki("ca"))
    hosts = (*LOCAL, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1")
    authority.issue("kube-apiserver", hosts=hosts).write(layout.pki("apiserver"))
    write_private(layout.pki("service-account").with_suffix(".key"), new_signing_key())
    ca = authority.pair.certificate
    users = {layout.kubeconfig: ADMIN, **{layout.identity(name): user for name, user in IDENTITIES.items()}}
    for path, (user, groups) in users.items():
        write_kubeconfig(path, server, ca, user, certificate_user(authority.issue(user, groups)))
