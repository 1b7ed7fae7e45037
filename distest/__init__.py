"""Distributed estimation when every bit counts."""

from distest.api import bounds, learn, load, train

__all__ = ["bounds", "learn", "load", "train"]
