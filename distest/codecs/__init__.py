"""Numbers to code words and back: one prefix code a file."""
