"""Distributed estimation when every bit counts."""
