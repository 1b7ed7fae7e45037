"""distest list: what there is, read off the classes themselves."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from distest import catalog
from distest.cli import tables
from distest.cli.examples import examples

_NAMES = (
    *("protocols", "distributions", "estimators", "data"),
    *("methods", "compressors", "exchanges", "clocks", "graphs", "problems"),
)


@click.command(
    "list",
    epilog=examples(
        "list",
        "list methods",
        "list protocols --json",
    ),
)
@click.argument("kind", metavar="[KIND]", type=click.Choice(_NAMES), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(kind: str | None, as_json: bool) -> None:
    """Show what has a name, and its options: protocols with model, class of p, loss, coins and source; laws, estimators
    and data; methods of training with their parts; problems.

    KIND is one of protocols, distributions, estimators, data, methods, compressors, exchanges, clocks, graphs and
    problems; without it all are shown. A thing with options is written name:key=value,key=value on the command line
    and in specs.
    """
    for name in (kind,) if kind else _KINDS:
        rows = _KINDS[name]()
        if as_json:
            tables.json_lines(rows)
        else:
            tables.show(name, rows)


def _summary(thing: Any) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join((thing.__doc__ or "").strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[^.]\.) (?=[A-Z(])", paragraph, maxsplit=1)[0]


def _protocols() -> list[dict[str, Any]]:
    rows = []
    for name in catalog.names("protocol"):
        cls = catalog.find("protocol", name)
        options = ", ".join(catalog.options("protocol", name))
        rows.append(
            {
                "name": name,
                "options": options,
                "model": cls.model,
                "coins": cls.coin_use if isinstance(cls.coin_use, str) else "by option",
                "class": cls.family,
                "loss": ", ".join(cls.losses),
                "what": _summary(cls),
                "source": cls.source,
            }
        )
    return rows


def _distributions() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "options": ", ".join(catalog.options("distribution", name)),
            "random": "yes" if catalog.find("distribution", name).random else "no",
            "what": _summary(catalog.find("distribution", name)),
        }
        for name in catalog.names("distribution")
    ]


def _parts(kind: str) -> list[dict[str, Any]]:
    """Things of a kind that need no more than a name, options and a sentence."""
    return [
        {
            "name": name,
            "options": ", ".join(catalog.options(kind, name)),
            "what": _summary(catalog.find(kind, name)),
        }
        for name in catalog.names(kind)
    ]


def _data() -> list[dict[str, Any]]:
    from distest.learning.population import bundled, names  # numpy and the bundle: only when asked

    rows = []
    for name in names():
        population = bundled(name)
        rows.append({"name": name, "n": population.n, "rows": population.rows, "source": population.source})
    return rows


_KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "protocols": _protocols,
    "distributions": _distributions,
    "estimators": partial(_parts, "estimator"),
    "data": _data,
    "methods": partial(_parts, "method"),
    "compressors": partial(_parts, "compressor"),
    "exchanges": partial(_parts, "exchange"),
    "clocks": partial(_parts, "clock"),
    "graphs": partial(_parts, "graph"),
    "problems": partial(_parts, "problem"),
}
