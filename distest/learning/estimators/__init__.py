"""What the referee makes of the estimate of a protocol: one class a file, found by name."""
