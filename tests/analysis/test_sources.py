"""The bibliography: everything in the catalog has its paper, or is said to have none; names in it are real."""

import re
import sys
from pathlib import Path

from analysis import sources
from distest import catalog

NAMES = {f"{kind}/{name}" for kind in catalog._KINDS for name in catalog.names(kind)}
CITED = frozenset().union(*(names for _, names in sources.entries().values()))


def test_everything_in_the_catalog_has_a_paper_or_is_said_to_have_none() -> None:
    assert sorted(NAMES - CITED - sources.OURS) == []
    assert sorted((CITED | sources.OURS) - NAMES) == []
    assert sorted(CITED & sources.OURS) == []


def test_every_name_has_an_entry_with_an_author_and_the_year_that_its_docstring_gives() -> None:
    for name in sorted(CITED):
        kind, _, short = name.partition("/")
        cls = catalog.find(kind, short)
        said = _plain(f"{getattr(cls, 'source', '')} {cls.__doc__} {sys.modules[cls.__module__].__doc__}")
        papers = [_plain(text) for text, names in sources.entries().values() if name in names]
        found = [(re.findall(r"author = ([\w-]+)", text)[0], re.findall(r"year = (\d+)", text)[0]) for text in papers]
        assert any(author in said and year in said for author, year in found), (name, found)


def _plain(text: str) -> str:
    """Without accents as TeX or Unicode write them."""
    return re.sub(r"\\[\"'v]|[{}]", "", text).replace("é", "e")


def test_every_entry_is_read_and_says_who_what_and_when() -> None:
    written = (Path(sources.__file__).with_name("sources.bib")).read_text(encoding="utf-8")
    assert len(sources.entries()) == written.count("\n@") > 60
    for text, names in sources.entries().values():
        assert names
        assert all(f"  {field} = {{" in text for field in ("author", "title", "year"))
        assert "distest =" not in text
        assert text.count("{") == text.count("}")


def test_the_bibtex_of_records_has_the_papers_of_all_their_parts() -> None:
    learned = {"spec": {"protocol": {"name": "grouping"}, "estimator": {"name": "merge"}, "data": {"name": "qsgd"}}}
    method = {
        "name": "ef21",
        "compressor": {"name": "chain", "coder": {"name": "natural"}},
        "exchange": {"name": "tree"},
    }
    trained = {"spec": {"method": method, "problem": {"name": "softmax"}}}
    found = re.findall(r"@\w+\{(\w+),", sources.bibtex([learned, trained, trained]))
    assert found == sorted(
        [
            "han2018",
            "acharya2015histograms",
            "acharya2017merging",
            "richtarik2021",
            "fatkhullin2023",
            "basu2019",
            "horvath2019natural",
            "shi2019",
        ]
    )
