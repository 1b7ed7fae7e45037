"""Codes for gradients: one a file, found by listing this folder."""
