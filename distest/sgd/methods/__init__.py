"""Methods of training: one a file, found by listing this folder."""
