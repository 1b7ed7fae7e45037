"""The site's pages that are made of the code: all of the catalog is there, signs of mathematics stay what they are."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mkdocs.exceptions import PluginError

from distest import catalog
from distest.cli.main import COMMANDS

SITE = Path(__file__).resolve().parent.parent / "scripts" / "site"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """scripts/site/pages.py as a module."""
    monkeypatch.syspath_prepend(str(SITE))
    return importlib.import_module("pages")


def text_of(markdown: str) -> str:
    """What a reader of the rendered page sees, in one line."""
    html = (
        importlib.import_module("markdown")
        .Markdown(extensions=["tables", "attr_list", "fenced_code"])
        .convert(markdown)
    )
    plain = re.sub(r"<[^>]+>", "", html)
    for sign, entity in (("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("&", "&amp;")):
        plain = plain.replace(entity, sign)
    return " ".join(plain.split())


@pytest.mark.parametrize("kind", ["protocol", "method", "compressor", "exchange", "problem"])
def test_a_page_has_every_algorithm_with_its_options_and_its_docstring(pages: Any, kind: str) -> None:
    made = pages.page(kind)
    text = text_of(made)
    for name in catalog.names(kind):
        cls = catalog.find(kind, name)
        section = made.partition(f"\n## {name} {{")[2].partition("\n## ")[0]
        assert all(f"| `{option}` |" in section for option in catalog.options(kind, name)), name
        first = " ".join((cls.__doc__ or "").partition("\n\n")[0].split()).replace("`", "")
        assert text.count(first) == 2, name  # in the table, and below


@pytest.mark.parametrize(
    "docstring", ["x_i * y_i + 2 * z_j", "E[y | x] for <v, S> and a < b > c", "||x||_2 [0, 1] \\ # 3"]
)
def test_signs_of_mathematics_stay_what_they_are(pages: Any, docstring: str) -> None:
    assert text_of(pages.markdown(docstring)) == docstring
    assert text_of(f"| a |\n|---|\n| {pages.markdown(docstring)} |") == f"a {docstring}"
    page = SimpleNamespace(file=SimpleNamespace(src_uri="bounds.md"))
    assert text_of(pages.on_page_markdown("for <v, S> and `a < b`\n\n    <c>", page)) == "for <v, S> and a < b <c>"


def test_every_command_is_there(pages: Any) -> None:
    made = pages.commands()
    assert all(f"## distest {name}\n" in made for name in COMMANDS)


@pytest.mark.parametrize(
    "asked",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<link rel=stylesheet href=//fonts.example/css>",
        '<img src="http://pictures.example/a.png">',
        "<style>@import 'https://fonts.example/css';</style>",
    ],
)
def test_a_page_that_asks_another_machine_is_refused(pages: Any, tmp_path: Path, asked: str) -> None:
    page = tmp_path / "index.html"
    page.write_text('<a href="https://pypi.org/">a link</a><script src="own.js"></script>', encoding="utf-8")
    pages.on_post_build({"site_dir": str(tmp_path)})
    page.write_text(f"<p>{asked}</p>", encoding="utf-8")
    with pytest.raises(PluginError, match="asks another machine"):
        pages.on_post_build({"site_dir": str(tmp_path)})
