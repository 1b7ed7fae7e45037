"""The `distest` command: parses, prints, nothing else. One file a sub-command, imported when it is called."""
