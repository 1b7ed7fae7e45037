"""Ways to a mean: one a file, found by listing this folder."""
