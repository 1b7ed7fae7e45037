"""Examples below the help of a command: lines that can be typed, which the tests hold to the options there are."""

_BEFORE = "\b\nExamples:\n"  # \b: click leaves the lines as they are


def examples(*lines: str) -> str:
    """The text below a help. lines: what is typed behind `distest`."""
    return _BEFORE + "\n".join(f"  distest {line}" for line in lines)
