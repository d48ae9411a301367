"""Runbooks as files: loading them with positions, judging them before anybody runs them, and what they ship as."""
