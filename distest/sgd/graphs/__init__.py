"""Graphs for training without a server: one shape a file, found by its name."""
