"""The pure core: what a journal means, what follows from it, and what forbids it. No I/O, no clock, no randomness."""
