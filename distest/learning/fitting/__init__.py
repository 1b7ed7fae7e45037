"""Referee-side mathematics that several protocols share."""
