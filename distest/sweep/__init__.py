"""Sweeps: many trials of several kinds from one spec, kept in one folder, at equal bits or to one target."""
