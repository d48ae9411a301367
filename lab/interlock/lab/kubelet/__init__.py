"""A kubelet without containers: it shows, for every pod of the lab's nodes, what a real kubelet would.

The core (`core`, `probes`, `images`) is pure: a pod, its images, the existing references, what happened so far and
the time give a status, events and log lines. The shell (`shell`, `logs_server`, `events`) watches and writes.
"""
