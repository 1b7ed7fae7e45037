"""Documents: commands that are printed can be typed, examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import click
import pytest

import analysis
import distest
import protocols
from distest import catalog, spec
from distest.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [p for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md") if p.exists()]
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize(("document", "line"), commands(), ids=str)
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
