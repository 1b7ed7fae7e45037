"""Communication-efficient SGD: problems, compressors, exchanges, methods."""
