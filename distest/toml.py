"""TOML written: a table of plain values as a file that `tomllib` reads back."""

import json
from typing import Any

from distest.errors import UsageError


def text(table: dict[str, Any]) -> str:
    """A line a key. Raises UsageError for a value that TOML does not have, such as None."""
    return "".join(f"{_key(key)} = {inline(value)}\n" for key, value in table.items())


def inline(value: Any) -> str:
    """One value, tables within it on the same line. Raises as `text` does."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value, allow_nan=False)
    raise UsageError(f"{value!r} cannot be written as TOML: a spec has text, numbers, lists and tables")


def given(value: Any) -> Any:
    """A value whose tables have no keys that are None, which stands for what is usual."""
    if isinstance(value, dict):
        return {key: given(each) for key, each in value.items() if each is not None}
    return [given(each) for each in value] if isinstance(value, list | tuple) else value


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _quoted(key)


def _quoted(text: str) -> str:
    """Unlike JSON, TOML has no pairs of surrogates, and no DEL as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
