"""Documents: commands that are printed can be typed, examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

import analysis
import distest
import protocols
from distest import catalog, spec
from distest.cli.main import COMMANDS, cli
from tests import command, documents

ROOT = Path(__file__).resolve().parents[1]
SITE = sorted(p for part in (".", "tutorials", "concepts") for p in (ROOT / "docs" / part).glob("*.md"))
PAGES = [p for p in SITE if "```" in p.read_text("utf-8")]  # of the site, with code
DOCUMENTS = [p for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md") if p.exists()]
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    """A page of the site as tests are named."""
    return str(page.relative_to(ROOT / "docs"))


def commands() -> list[tuple[str, str]]:
    """Every `distest ...` line of a code block, with the document it stands in."""
    found = []
    for document in DOCUMENTS:
        for block in _FENCE.findall(document.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                said = line.strip().removeprefix("$ ")
                said = re.sub(r"^mpirun -n \d+ ", "", said).partition("  #")[0]
                if said.startswith("distest "):
                    found.append((document.name, said))
    return found


def modules() -> list[str]:
    names = []
    for package in (distest, protocols, analysis):
        walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names += [m.name for m in walked if m.name not in ("distest.wire.mpi", "distest.__main__")]
    return names


def test_the_readme_shows_commands() -> None:
    shown = [line for document, line in commands() if document == "README.md"]
    assert len(shown) >= 5
    assert {shlex.split(line)[1] for line in shown} <= set(COMMANDS)
    assert {"learn", "audit", "bounds", "list"} <= {shlex.split(line)[1] for line in shown}


def helped() -> list[tuple[str, str]]:
    """Every example line of the help of a command, with its command."""
    found = []
    for name in COMMANDS:
        with click.Context(cli, info_name="distest") as outer:
            said = cli.get_command(outer, name)
            assert said is not None
            lines = f"{said.help}\n{said.epilog or ''}".splitlines()
        typed = [line.strip().partition(" > ")[0] for line in lines]
        found += [(name, line) for line in typed if line.startswith("distest ")]
    return found


def test_the_help_of_every_command_has_an_example_and_a_word_for_every_option() -> None:
    assert {name for name, _ in helped()} == set(COMMANDS)
    with click.Context(cli, info_name="distest") as outer:
        for name in COMMANDS:
            found = cli.get_command(outer, name)
            assert found is not None
            for option in found.params:
                assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


@pytest.mark.parametrize(("document", "line"), commands() + helped(), ids=str)
def test_a_command_that_is_printed_can_be_typed(document: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options exist and take these values; protocols, laws and data have these options. Nothing runs."""
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)[1:]
    with click.Context(cli, info_name="distest") as outer:
        command = cli.get_command(outer, words[0])
        assert command is not None
        with command.make_context(words[0], words[1:], parent=outer) as context:
            given = context.params
    if words[0] != "learn":
        return
    if given["spec"] is not None and not Path(given["spec"]).exists():
        return  # a file of the reader's own
    table = specs_of(given)
    for protocol in table["protocols"]:
        assert set(protocol) - {"name"} <= set(spec.options_of(protocol["name"]))
    if given["data"] and not Path(given["data"]).suffix:
        from distest.learning.population import bundled

        named = spec.named(given["data"])
        bundled(named.pop("name"), **named)


def specs_of(given: dict[str, object]) -> spec.Table:
    """The spec of the flags of `learn`, far enough to look at its names."""
    path = given["spec"]
    table = spec.normalise(spec.read_toml(path) if isinstance(path, Path) else {})
    named = given["protocols"]
    if isinstance(named, tuple) and named:
        table["protocols"] = [spec.named(p) for p in named]
    settings = given["settings"]
    for setting in settings if isinstance(settings, tuple) else ():
        spec.assign(table, setting)
    assert table["protocols"]
    return table


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_of_the_site_does_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its blocks run one after the other, and print what stands below them. A file in protocols/ is a protocol."""
    monkeypatch.setattr(protocols, "__path__", [*protocols.__path__, str(tmp_path / "protocols")])
    monkeypatch.setattr(sys, "path", [*sys.path])
    for cached in (catalog.names, catalog.find):
        cached.cache_clear()

    def run(words: list[str]) -> str:
        ended = command.here(monkeypatch, capfd, *words)
        return ended.out + ended.err

    def held(what: str, shown: str, printed: str) -> None:
        assert documents.difference(shown, printed) == "", what

    before = set(sys.modules)
    try:
        documents.run(page.read_text("utf-8"), tmp_path, run, held)
    finally:
        catalog.names.cache_clear()
        catalog.find.cache_clear()
        for name in set(sys.modules) - before:
            if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]  # the next page may have a file of this name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_does_not_run_is_a_command_for_another_program_or_for_ranks(page: Path) -> None:
    for block in documents.blocks(page.read_text("utf-8")):
        for one in documents.typed(block) if block.language == "console" else ():
            line = shlex.join(one.words)
            assert one.runs or "--ranks" in one.words or line.startswith(documents.NOT_RUN), line
            for word in one.words:
                if word.startswith("scripts/"):
                    assert (ROOT / word).exists(), line


@pytest.mark.mpi
@pytest.mark.parametrize("page", [p for p in PAGES if "--ranks" in p.read_text("utf-8")], ids=named)
def test_what_a_page_runs_on_ranks_runs(page: Path, tmp_path: Path, mpi: ModuleType) -> None:
    """Its files are written, its commands with --ranks are run; one page at a time, 60 seconds at most."""
    for block in documents.blocks(page.read_text("utf-8")):
        if block.language == "python" and block.title.endswith(".py"):
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        for one in documents.typed(block) if block.language == "console" else ():
            if "--ranks" in one.words:
                line = [sys.executable, "-m", "distest", *one.words[1:], "--limit", "50"]
                ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
                assert ended.returncode == 0, ended.stderr


def test_what_is_shown_and_what_is_printed_may_differ_by_dots_and_last_places_alone() -> None:
    shown = "loss   bits  seconds\n───\n1.203  4,016  ...\n"
    assert documents.difference(shown, "loss bits seconds\n─────\n1.204  4,016  0.13\n") == ""
    assert documents.difference("", "anything") == ""
    for wrong in ("1.25  4,016", "1.203  4,017", "1.203", "1.203  4,016  0.1\nmore"):
        assert documents.difference(shown.replace("...", "0.1"), f"loss bits seconds\n─\n{wrong}  0.1\n") != ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_a_document_links_to_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_names_every_protocol() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for name in catalog.names("protocol"):
        assert f"`{name}`" in text


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_give_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is for"
    assert doctest.testmod(module).failed == 0
