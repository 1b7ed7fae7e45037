"""Documents: commands that are printed can be typed, examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil
import re
import runpy
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
DOCUMENTS = [p for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md") if p.exists()]
PAGES = [p for p in (*SITE, *DOCUMENTS) if "```" in p.read_text("utf-8")]  # with code


def named(page: Path) -> str:
    """A page as tests are named."""
    return str(page.relative_to(ROOT))


def modules() -> list[str]:
    names = []
    for package in (distest, protocols, analysis):
        walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names += [m.name for m in walked if m.name not in ("distest.wire.mpi", "distest.__main__")]
    return names


def test_the_readme_shows_commands() -> None:
    blocks = documents.blocks((ROOT / "README.md").read_text("utf-8"))
    typed = [one.words for block in blocks if block.language == "console" for one in documents.typed(block)]
    assert {"learn", "audit", "bounds", "list"} <= {words[1] for words in typed if words[0] == "distest"}


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


@pytest.mark.parametrize("line", [line for _, line in helped()])
def test_an_example_of_the_help_can_be_typed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_page_does_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its blocks run one after the other, and print what stands below them. A file in protocols/ is a protocol. It is
    read in a folder that has the scripts of a checkout."""
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    monkeypatch.setattr(protocols, "__path__", [*protocols.__path__, str(tmp_path / "protocols")])
    monkeypatch.setattr(sys, "path", [*sys.path])
    for cached in (catalog.names, catalog.find):
        cached.cache_clear()

    def run(words: list[str]) -> command.Ended:
        return command.here(monkeypatch, capfd, *words)

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
def test_every_block_is_run_by_somebody(page: Path) -> None:
    text = page.read_text("utf-8")
    assert unrun(text) == []


def unrun(text: str) -> list[str]:
    """What nobody runs, or looks at, in the blocks of a page."""
    found = [
        f"indented: {line}" for line in re.findall(r"(?<=\n\n) {4}(?:\$ )?(?:scripts|pip|python|distest)\b.*", text)
    ]
    found += [
        f"no language: {opening}" for opening in re.findall(r"^```.*$", text, re.MULTILINE)[::2] if opening == "```"
    ]
    for number, block in enumerate(blocks := documents.blocks(text)):
        if block.language == "console":
            lines = list(documents.typed(block))
            found += [shlex.join(one.words) for one in lines if not one.runner] + ["an empty block"] * (not lines)
        elif block.language == "toml":
            later = "".join(other.text for other in blocks[number + 1 :])
            found += [] if block.title and Path(block.title).stem in later else [f"toml {block.title}"]
        elif block.language not in ("python", "text"):
            found.append(f"a block of {block.language}")
    return found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("```console\n$ rm -r out\n```\n", "rm -r out"),
        ("```console\n$ scripts/demo --all\n```\n", "scripts/demo --all"),
        ("```console\n$ python scripts/reproduce/flagship.py\n```\n", "python scripts/reproduce/flagship.py"),
        ("```console\n$ pip install '.[everything]'\n```\n", "pip install '.[everything]'"),
        ("```console\n$ pip install distest\n```\n", "pip install distest"),
        ("```console\nno prompt\n```\n", "an empty block"),
        ('```toml title="a.toml"\nn = 3\n```\n', "toml a.toml"),
        ("```bash\nls\n```\n", "a block of bash"),
        ("```\nls\n```\n", "no language: ```"),
        ("text\n\n    scripts/test\n", "indented:     scripts/test"),
    ],
)
def test_a_block_that_nobody_runs_is_found(text: str, what: str) -> None:
    assert unrun(text) == [what]


def test_blocks_that_are_run_by_others_than_the_tests_are_known() -> None:
    said = "```console\n$ scripts/test\n$ scripts/demo\n$ pip install '.[mpi,report]'  # all\n$ distest list\n```\n"
    assert unrun(said) == []
    (block,) = documents.blocks(said)
    assert [one.runner for one in documents.typed(block)] == [".ci/run", ".ci/run", "wheel", "here"]


def test_the_wheel_is_installed_as_the_pages_say() -> None:
    """What `scripts/check_wheel` installs is what pages ask for, in blocks and in sentences, all of it in setup.cfg."""
    check_wheel = runpy.run_path(str(ROOT / "scripts" / "check_wheel"))
    found = {one.words[2] for page in PAGES for block in documents.blocks(page.read_text("utf-8"))
             if block.language == "console" for one in documents.typed(block) if one.runner == "wheel"}  # fmt: skip
    assert len(found) >= 2
    asked = check_wheel["asked"]()
    assert {"." + (f"[{','.join(extras)}]" if extras else "") for extras in asked} >= found
    assert {extra for extras in asked for extra in extras} <= documents.extras()


def test_scripts_that_a_page_names_are_there() -> None:
    for page in {*PAGES, *SITE}:
        for name in re.findall(r"`(?:python )?(scripts/[\w./]+)", page.read_text("utf-8")):
            assert (ROOT / name).exists() or "NAME" in name, f"{page.name} names {name}"


@pytest.mark.mpi
@pytest.mark.parametrize("page", [p for p in PAGES if "--ranks" in p.read_text("utf-8")], ids=named)
def test_what_a_page_runs_on_ranks_runs(page: Path, tmp_path: Path, mpi: ModuleType) -> None:
    """Its files are written, its commands with --ranks are run; one page at a time; minutes are for a busy machine."""
    for block in documents.blocks(page.read_text("utf-8")):
        if block.language == "python" and block.title.endswith(".py"):
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        for one in documents.typed(block) if block.language == "console" else ():
            if "--ranks" in one.words:
                line = [sys.executable, "-m", "distest", *one.words[1:], "--limit", "240"]
                ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
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
