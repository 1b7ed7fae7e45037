"""One file, one protocol, one public class; no imports between them. CONTRIBUTING.md shows how to add one."""
