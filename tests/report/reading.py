"""A page as a program reads it: tables by their captions, cells with the exact values that stand in them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class ReadCell:
    """A cell: the words shown, and the value it is sorted by, as text; None where it has none."""

    value: str | None
    text: str = ""


@dataclass
class ReadTable:
    """A table: its caption, the words of its heads, and its rows."""

    caption: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[list[ReadCell]] = field(default_factory=list)

    def column(self, name: str) -> list[ReadCell]:
        """The cells below a head."""
        return [row[self.heads.index(name)] for row in self.rows]


class Reader(HTMLParser):
    """Collects tables, and the addresses a page would ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[ReadTable] = []
        self.addresses: list[str] = []
        self.title = ""
        self._place = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.addresses += [given[key] or "" for key in ("src", "href") if key in given]
        if tag == "table":
            self.tables.append(ReadTable())
        if tag == "tr" and self.tables and self._place == "tbody":
            self.tables[-1].rows.append([])
        if tag in ("th", "td") and self._place == "tbody":
            self.tables[-1].rows[-1].append(ReadCell(given.get("data-value")))
        if tag == "th" and self._place == "thead":
            self.tables[-1].heads.append("")
        if tag in ("thead", "tbody", "caption", "title"):
            self._place = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._place:
            self._place = ""

    def handle_data(self, data: str) -> None:
        if self._place == "title":
            self.title += data
        elif self._place == "caption":
            self.tables[-1].caption += data
        elif self._place == "thead" and self.tables[-1].heads:
            self.tables[-1].heads[-1] += data.strip()
        elif self._place == "tbody" and self.tables[-1].rows and self.tables[-1].rows[-1]:
            self.tables[-1].rows[-1][-1].text += data.strip()


def read(text: str) -> Reader:
    """The tables of a page."""
    reader = Reader()
    reader.feed(text)
    return reader
