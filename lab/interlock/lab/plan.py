"""The lab as a list of processes: what each is told, and what it waits for."""

import sys
from collections.abc import Iterator

from interlock.lab.layout import Layout
from interlock.lab.state import Component, Description

# Times are shortened so that a lab shows in seconds what a
# cluster shows in minutes; docs say which of them differ from a production cluster.
NODE_GRACE_SECONDS = 8
REAL_NODE_GRACE_SECONDS = 16  # a real kubelet renews its lease every three seconds, when it is given the processor
EVICTION_SECONDS = 60


def components(layout: Layout, description: Description) -> Iterator[Component]:
    """Every process of the lab, in an order that reads as the way it starts."""
    yield _etcd(layout, description)
    yield _apiserver(layout, description)
    yield _setup(layout, description)
    yield from _releases(description)
    yield _controller_manager(layout, description)
    yield _scheduler(layout, description)
    if description.real_nodes:
        yield _real_nodes(layout)
    else:
        yield _kubelet(layout, description)
        yield _kwok(layout, description)
    if description.monitoring:
        yield _state_metrics(layout, description)
        yield _prometheus(layout, description)
        yield _alertmanager(layout, description)


def _etcd(layout: Layout, description: Description) -> Component:
    ports = description.ports
    pair = layout.pki("etcd")
    return Component(
        name="etcd",
        argv=(
            str(description.tools / "etcd"),
            f"--data-dir={layout.data('etcd')}",
            "--unsafe-no-fsync",  # a lab's data is not worth waiting for the disk
            f"--listen-client-urls=https://127.0.0.1:{ports.etcd}",
            f"--advertise-client-urls=https://127.0.0.1:{ports.etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{ports.etcd_peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{ports.etcd_peer}",
            f"--initial-cluster=default=http://127.0.0.1:{ports.etcd_peer}",
            f"--cert-file={pair}.crt",
            f"--key-file={pair}.key",
            f"--trusted-ca-file={layout.pki('internal-ca')}.crt",
            "--client-cert-auth",
            "--log-level=warn",
        ),
    )


def _apiserver(layout: Layout, description: Description) -> Component:
    pki, ports = layout.pki, description.ports
    return Component(
        name="kube-apiserver",
        ready=f"{description.server}/readyz",
        argv=(
            str(description.tools / "kube-apiserver"),
            f"--etcd-servers=https://127.0.0.1:{ports.etcd}",
            f"--etcd-cafile={pki('internal-ca')}.crt",
            f"--etcd-certfile={pki('apiserver-client')}.crt",
            f"--etcd-keyfile={pki('apiserver-client')}.key",
            f"--kubelet-client-certificate={pki('apiserver-client')}.crt",
            f"--kubelet-client-key={pki('apiserver-client')}.key",
            f"--proxy-client-cert-file={pki('apiserver-client')}.crt",
            f"--proxy-client-key-file={pki('apiserver-client')}.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={ports.apiserver}",
            f"--tls-cert-file={pki('apiserver')}.crt",
            f"--tls-private-key-file={pki('apiserver')}.key",
            f"--client-ca-file={pki('ca')}.crt",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki('service-account')}.key",
            f"--service-account-signing-key-file={pki('service-account')}.key",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            f"--default-not-ready-toleration-seconds={EVICTION_SECONDS}",
            f"--default-unreachable-toleration-seconds={EVICTION_SECONDS}",
            f"--audit-policy-file={layout.config('audit-policy.yaml')}",
            f"--audit-log-path={layout.audit_log}",
            "--audit-log-mode=blocking",
            *(_egress(layout) if description.real_nodes else ()),
        ),
    )


def _setup(layout: Layout, description: Description) -> Component:
    numbers = (description.nodes, description.real_nodes, description.ports.kubelet)
    argv = (*_module("interlock.lab.setup"), str(layout.kubeconfig), *map(str, numbers))
    return Component(name="setup", argv=argv, needs=("kube-apiserver",), task=True)


def _releases(description: Description) -> Iterator[Component]:
    if description.helm:
        for release in description.releases:
            argv = description.helm.command(*release.arguments())
            yield Component(name=release.name, argv=argv, needs=("kube-apiserver",), task=True)


def _controller_manager(layout: Layout, description: Description) -> Component:
    return Component(
        name="kube-controller-manager",
        needs=("kube-apiserver", *(release.name for release in description.releases)),
        argv=(
            str(description.tools / "kube-controller-manager"),
            *_identity(layout, "kube-controller-manager"),
            f"--service-account-private-key-file={layout.pki('service-account')}.key",
            f"--root-ca-file={layout.pki('ca')}.crt",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={description.ports.controller_manager}",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            "--node-monitor-period=1s",
            f"--node-monitor-grace-period={REAL_NODE_GRACE_SECONDS if description.real_nodes else NODE_GRACE_SECONDS}s",
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            "--pvclaimbinder-sync-period=2s",
            "--resource-quota-sync-period=5s",
            "--namespace-sync-period=5s",
            "--concurrent-namespace-syncs=20",
        ),
    )


def _scheduler(layout: Layout, description: Description) -> Component:
    return Component(
        name="kube-scheduler",
        needs=("kube-apiserver",),
        argv=(
            str(description.tools / "kube-scheduler"),
            *_identity(layout, "kube-scheduler"),
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={description.ports.scheduler}",
        ),
    )


def _kubelet(layout: Layout, description: Description) -> Component:
    pair = layout.pki("kubelet")
    return Component(
        name="kubelet",
        needs=("kube-apiserver",),
        argv=(
            *_module("interlock.lab.kubelet"),
            f"--kubeconfig={layout.identity('kubelet')}",
            f"--port={description.ports.kubelet}",
            f"--certificate={pair}.crt",
            f"--key={pair}.key",
            f"--client-ca={layout.pki('internal-ca')}.crt",
            f"--images={layout.directory / 'images.yaml'}",
        ),
    )


def _real_nodes(layout: Layout) -> Component:
    module = _module("interlock.lab.nodes.outside")
    return Component(
        name="nodes",
        needs=("kube-apiserver",),
        argv=(*module, str(layout.directory)),
        cleanup=(*module, "--clean"),
    )


def _egress(layout: Layout) -> tuple[str]:
    return (f"--egress-selector-config-file={layout.config('egress.yaml')}",)


def _kwok(layout: Layout, description: Description) -> Component:
    return Component(
        name="kwok",
        needs=("kube-apiserver",),
        argv=(
            str(description.tools / "kwok"),
            f"--kubeconfig={layout.identity('kwok')}",
            f"--config={layout.config('kwok.yaml')}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-label-selector=type=kwok",
            "--node-ip=127.0.0.1",
            f"--node-port={description.ports.kubelet}",
            f"--server-address=127.0.0.1:{description.ports.kwok}",  # without it, kwok takes the kubelet's port
            f"--node-lease-duration-seconds={NODE_GRACE_SECONDS}",
        ),
    )


# What the alert rules read; everything else would only make each scrape heavier.
_METRICS = ",".join(
    (
        "kube_pod_info",
        "kube_pod_owner",
        "kube_pod_deletion_timestamp",
        "kube_pod_status_phase",
        "kube_pod_status_ready",
        "kube_pod_status_unschedulable",
        "kube_pod_(init_)?container_status_.*",
        "kube_pod_container_resource_.*",
        "kube_replicaset_owner",
        "kube_deployment_(spec|status)_.*",
        "kube_node_info",
        "kube_node_spec_unschedulable",
        "kube_node_status_condition",
        "kube_job_(failed|owner)",
        "kube_cronjob_.*",
        "kube_horizontalpodautoscaler_.*",
        "kube_resourcequota",
        "kube_persistentvolumeclaim_status_phase",
    )
)
_RESOURCES = (
    "pods,replicasets,deployments,nodes,jobs,cronjobs,horizontalpodautoscalers,resourcequotas,persistentvolumeclaims"
)


def _state_metrics(layout: Layout, description: Description) -> Component:
    ports = description.ports
    return Component(
        name="kube-state-metrics",
        needs=("kube-apiserver",),
        ready=f"http://127.0.0.1:{ports.state_metrics}/healthz",
        argv=(
            str(description.tools / "kube-state-metrics"),
            f"--kubeconfig={layout.identity('kube-state-metrics')}",
            "--host=127.0.0.1",
            f"--port={ports.state_metrics}",
            "--telemetry-host=127.0.0.1",
            f"--telemetry-port={ports.state_metrics_self}",
            f"--resources={_RESOURCES}",
            f"--metric-allowlist={_METRICS}",
        ),
    )


def _prometheus(layout: Layout, description: Description) -> Component:
    return Component(
        name="prometheus",
        ready=f"{description.prometheus_url}/-/ready",
        argv=(
            str(description.tools / "prometheus"),
            f"--config.file={layout.config('prometheus.yml')}",
            f"--storage.tsdb.path={layout.data('prometheus')}",
            "--storage.tsdb.retention.time=6h",
            *_web(description.ports.prometheus),
        ),
    )


def _alertmanager(layout: Layout, description: Description) -> Component:
    return Component(
        name="alertmanager",
        ready=f"{description.alertmanager_url}/-/ready",
        argv=(
            str(description.tools / "alertmanager"),
            f"--config.file={layout.config('alertmanager.yml')}",
            f"--storage.path={layout.data('alertmanager')}",
            "--cluster.listen-address=",
            *_web(description.ports.alertmanager),
        ),
    )


def _web(port: int) -> tuple[str, str]:
    return f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url=http://127.0.0.1:{port}"


def _identity(layout: Layout, name: str) -> tuple[str, str, str]:
    path = layout.identity(name)
    return f"--kubeconfig={path}", f"--authentication-kubeconfig={path}", f"--authorization-kubeconfig={path}"


def _module(name: str) -> tuple[str, ...]:
    # -P keeps the working directory off sys.path.
    return sys.executable, "-P", "-m", name
