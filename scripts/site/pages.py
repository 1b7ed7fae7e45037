"""A hook of mkdocs: pages that are made of the code at build time, so that they cannot differ from it.

One page a kind of the catalog, one for the bundled data, one for the commands; and the documents of the repository's
root. After the build every page is searched for what a browser would ask of another machine: there is nothing.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import click  # noqa: E402
from docstrings import escaped, markdown  # noqa: E402
from mkdocs.exceptions import PluginError  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402

from distest import catalog  # noqa: E402
from distest.cli.main import COMMANDS, cli  # noqa: E402
from distest.learning import population  # noqa: E402

KINDS = {
    "protocol": ("Protocols", "How servers tell a referee, or each other, what they know about p."),
    "distribution": ("Distributions", "Laws to learn, by name: `--distribution zipf:exponent=1.2`."),
    "estimator": ("Estimators", "The last step of the referee, `--estimator`: what is made of the raw estimate."),
    "method": ("Methods", "What one step of training says and does, `distest train --method`."),
    "compressor": ("Compressors", "A gradient as one message of packed bits, `--compressor`."),
    "exchange": ("Exchanges", "How W workers come to know the mean of their vectors, `--exchange`."),
    "problem": (
        "Problems",
        "What is minimised, `--problem`. Your own: [a problem of one's own](../tutorials/problem.md).",
    ),
    "graph": ("Graphs", "Who hears whom where there is no server, `--graph`."),
    "clock": ("Clocks", "Whose answer an asynchronous server handles next, `--clock`."),
}
DOCUMENTS = {"ARCHITECTURE.md": "house/architecture.md", "CONTRIBUTING.md": "house/contributing.md",
             "CHANGELOG.md": "house/changelog.md"}  # fmt: skip
HOMES = {**DOCUMENTS, "README.md": "index.md", "docs/theory.md": "theory.md", "docs/bounds.md": "bounds.md",
         "docs/reproduction.md": "reproduction.md"}  # fmt: skip
MATHEMATICS = ("bounds.md", "theory.md", "reproduction.md")
# what a browser fetches without being asked
ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link[^>]*\shref=["']?(?:https?:)?//(?![^>]*rel=["']?canonical)"""
    r"""|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add what is made of the code."""
    made = {f"reference/{kind}s.md": page(kind) for kind in KINDS}
    made |= {"reference/data.md": data(), "reference/commands.md": commands()}
    made |= {target: document(name, target) for name, target in DOCUMENTS.items()}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Write the brackets of inner products, <v, S>, so that no reader of Markdown takes them for HTML."""
    if page.file.src_uri not in MATHEMATICS:
        return text
    parts = re.split(r"(^```.*?^```$|`[^`\n]+`|^ {4}[^\n]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


def on_post_build(config: Any, **_: Any) -> None:
    """Refuse a site that asks another machine for something."""
    for path in sorted(Path(config["site_dir"]).rglob("*")):
        if path.suffix in (".html", ".css") and (found := ELSEWHERE.search(path.read_text("utf-8"))):
            raise PluginError(f"{path} asks another machine: {found[0][:200]}")


# ---- the catalog


def page(kind: str) -> str:
    """A kind of the catalog: a table of all, then each with its docstring and options, then what several share."""
    title, about = KINDS[kind]
    names = catalog.names(kind)
    lines = [f"# {title}", "", about, "", f"| {kind} | what |" + (" source |" if sourced(kind) else "")]
    lines += ["|---|---|" + ("---|" if sourced(kind) else "")]
    for name in names:
        cls = catalog.find(kind, name)
        row = f"| [`{name}`](#{anchor(name)}) | {first(cls)} |"
        lines += [row + (f" {markdown(cls.source)} |" if sourced(kind) else "")]
    shared: dict[str, type] = {}
    for name in names:
        cls = catalog.find(kind, name)
        lines += ["", *entry(kind, name, cls)]
        shared |= {base.__name__: base for base in bases(cls) if named(kind, base) is None}
    if shared:
        lines += ["", "## What several share"]
    for base in sorted(shared):
        lines += ["", f"### {base} {{: #{base.lower()} }}", "", markdown(shared[base].__doc__ or "")]
    return "\n".join(linked(kind, line) for line in lines) + "\n"


def sourced(kind: str) -> bool:
    """Whether the classes of a kind name their source by themselves."""
    return all(isinstance(getattr(catalog.find(kind, name), "source", None), str) for name in catalog.names(kind))


def entry(kind: str, name: str, cls: type[Any]) -> Iterator[str]:
    """One algorithm: a heading, facts, the docstring, the options with their types and defaults."""
    yield f"## {name} {{: #{anchor(name)} }}"
    yield ""
    if facts := [f"{what} **{value}**" for what, value in known(cls)]:
        yield from (", ".join(facts), "")
    yield emphasised(markdown(cls.__doc__ or ""), catalog.options(kind, name))
    yield ""
    if options := catalog.options(kind, name):
        yield from ("| option | type | default |", "|---|---|---|")
        for key, field in options.items():
            yield f"| `{key}` | {typed(field.type)} | {default(field)} |"
        yield ""
    places = [(named(kind, base), base.__name__) for base in bases(cls)]
    links = [f"[{name or own}](#{anchor(name or own.lower())})" for name, own in places]
    yield f"File: `{cls.__module__.replace('.', '/')}.py`" + (f"; see {', '.join(links)}" if links else "")


def emphasised(text: str, options: Iterable[str]) -> str:
    """The docstring with the names of options, where they are explained, in bold."""
    names = "|".join(re.escape(escaped(name)) for name in options)
    if not names:
        return text
    listed = rf"(?:^|(?<=[.;:] )|(?<=\n))((?:{names})(?:, (?:{names}))*)(?=: )"
    return re.sub(listed, lambda found: ", ".join(f"**{one}**" for one in found[1].split(", ")), text, flags=re.M)


def known(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """What the class says of itself in a word."""
    if hasattr(cls, "losses"):
        yield from (("model", cls.model), ("class of p", cls.family), ("loss", ", ".join(cls.losses)))
        yield "coins", cls.coin_use if isinstance(cls.coin_use, str) else "by option"


def bases(cls: type[Any]) -> list[type[Any]]:
    """Classes of ours between the algorithm and its contract that explain options."""
    return [
        base
        for base in cls.__mro__[1:]
        if dataclasses.is_dataclass(base) and ":" in (base.__doc__ or "") and dataclasses.fields(base)
        and base.__module__.startswith("distest.") and base.__name__ not in ("Protocol", "RefereeProtocol")
    ]  # fmt: skip


def named(kind: str, cls: type[Any]) -> str | None:
    """The name of a class that is an algorithm itself, None for one that only explains options."""
    name = cls.__module__.rpartition(".")[2]
    return name if name in catalog.names(kind) and catalog.find(kind, name) is cls else None


def typed(hint: Any) -> str:
    """A type as one writes it; of a choice, what there is to choose."""
    if get_origin(hint) is Literal:
        return " or ".join(f"`{json.dumps(one)}`" for one in get_args(hint))
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", "") if isinstance(hint, type) else str(hint)
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text.replace("NoneType", "None"))
    return "`" + text.replace("|", "\\|") + "`"


def default(field: dataclasses.Field[Any]) -> str:
    """The value of an option that nobody sets."""
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "needed"
    if dataclasses.is_dataclass(value):
        return f"`{catalog.label(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def first(cls: type[Any]) -> str:
    """The first sentence, as `distest list` shows it."""
    return markdown((cls.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " "))


def anchor(name: str) -> str:
    """Where a name is on its page."""
    return name.replace("_", "-")


def linked(kind: str, text: str) -> str:
    """Names in backquotes lead to where they are explained: on this page first, else on that of another kind."""
    if text.startswith(("#", "```", "| `", "| [`")):  # a row of options: "mean" may be a value
        return text

    def link(found: re.Match[str]) -> str:
        name = found[1]
        if name in catalog.names(kind):
            return f"[`{name}`](#{anchor(name)})"
        for other in ("compressor", "exchange", "method"):
            if kind != "protocol" and name in catalog.names(other):
                return f"[`{name}`]({other}s.md#{anchor(name)})"
        return found[0]

    return re.sub(r"(?<![`\[])`([a-z_0-9]+)`(?![`\]])", link, text)


# ---- data, commands, documents


def data() -> str:
    """The bundled data."""
    lines = ["# Bundled data", "", "Real data that come with the package, `--data NAME`; where they are from and under "
             "which licence is in `distest/data/SOURCES.md`.", "", "| name | symbols | rows | source |",
             "|---|---|---|---|"]  # fmt: skip
    for name in population.names():
        found = population.bundled(name)
        lines += [f"| `{name}` | {found.n:,} | {found.rows:,} | {markdown(found.source)} |"]
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command, as `--help` prints it."""
    lines = ["# Commands", "", "As `distest COMMAND --help` prints them."]
    with click.Context(cli, info_name="distest") as outer:
        for name in COMMANDS:
            command = cli.get_command(outer, name)
            assert command is not None
            with click.Context(
                command, info_name=name, parent=outer, max_content_width=96, terminal_width=96
            ) as context:
                lines += ["", f"## distest {name}", "", "```text", command.get_help(context), "```"]
    return "\n".join(lines) + "\n"


def document(name: str, target: str) -> str:
    """A document of the root; its links lead to pages of the site, where there is one."""
    up = "../" * target.count("/")

    def link(found: re.Match[str]) -> str:
        return f"[{found[1]}]({up}{HOMES[found[2]]}{found[3] or ''})" if found[2] in HOMES else f"`{found[1]}`"

    text = (ROOT / name).read_text("utf-8")
    return re.sub(r"\[([^\]\n]+)\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)", link, text)
