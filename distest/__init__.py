"""Distributed estimation when every bit counts."""

from distest.api import bounds, compare, learn, load, train

__all__ = ["bounds", "compare", "learn", "load", "train"]
