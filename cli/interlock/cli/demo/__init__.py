"""The demo: one fault of a small shop, from the alert to the audited cure; only the containers are simulated."""
