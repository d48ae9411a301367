"""Judgment by language models where rules end. Analyzers always come first; without a model nothing here is loaded.

The worker asks an `Adviser` (`advice`), which `start` opens and `consult` is. On-Call triages and concludes, Analysis
and Kubectl look in parallel (`panel`), each a conversation (`autogen`) that ends with a typed tool (`arguments`).
What a model may conclude is checked in `opinion`: its citations must stand in the evidence, and it can name neither a
runbook nor a parameter nor another namespace. Every call goes through `metered`: answers, tool results and budgets are
durable (`transcript`), so nothing is asked twice and `replay` needs no model.
"""
