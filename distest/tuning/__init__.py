"""Tuning: the step size and one or two knobs of a method, by a search with a budget of runs."""
