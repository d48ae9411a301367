"""Agents ask: they take alerts, gather evidence, diagnose, and propose. They never change anything in the cluster.

An alert's way is webhook → store → intake (correlate) → investigate (evidence, analyzers, diagnose) → propose →
follow; each stage writes one record that the next one reads, so a killed process goes on where it was.
Start at `interlock.agents.service`.
"""
