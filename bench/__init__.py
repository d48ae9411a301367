"""Measurements. A figure says something only beside a baseline of the same run on the same machine."""
