"""What is minimised: one problem a file, found by listing this folder."""
