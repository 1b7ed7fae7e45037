"""Docstrings as Markdown: sentences with signs of mathematics in them, which Markdown would take for its own.

Used twice: `markdown` by pages.py for what stands in the catalog, and as an extension of griffe for the modules that
mkdocstrings shows.
"""

import inspect
import re
from typing import Any

from griffe import Extension

# what Markdown would read as emphasis, links or headings, or as HTML; what stands between backquotes is code already
_CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_SIGNS = re.compile(r"([\\*_\[\]#|])")
_EXAMPLE = re.compile(r"^(>>> |    )")


def markdown(docstring: str) -> str:
    """The same words in Markdown: examples and what is indented as code, everything else as sentences."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    if block.startswith(">>> "):
        return f"```pycon\n{block}\n```"
    if _EXAMPLE.match(block):
        return f"```text\n{inspect.cleandoc(block)}\n```"
    return "".join(part if part.startswith("`") else escaped(part) for part in _CODE.split(block))


def escaped(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return _SIGNS.sub(r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


class Sentences(Extension):
    """Makes Markdown of every docstring that griffe has read."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
