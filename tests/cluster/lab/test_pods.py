"""Pods on simulated nodes show what a kubelet would show."""

import subprocess

from interlock.lab import Lab


def test_a_deployment_becomes_available(lab: Lab, namespace: str) -> None:
    kubectl = [lab.kubectl, "--kubeconfig", lab.kubeconfig, "-n", namespace]
    subprocess.run([*kubectl, "create", "deployment", "web", "--image=nginx", "--replicas=2"], check=True)
    subprocess.run([*kubectl, "wait", "deployment/web", "--for=condition=Available", "--timeout=60s"], check=True)
