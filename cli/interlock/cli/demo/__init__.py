"""The demo: one fault of a small shop, from the alert to the audited cure, with nothing simulated but the containers."""
