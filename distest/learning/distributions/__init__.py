"""Families of distributions: one a file, found by listing this folder."""
