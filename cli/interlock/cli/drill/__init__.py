"""The drill: many faults at once on a lab, each to be cured by the right runbook, or rightly left to a person."""
