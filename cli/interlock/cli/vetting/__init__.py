"""Vetting on a cluster: what is started for it, one trial after the other, and what the API server saw of them."""
