"""What a shell is offered in place of a value: names from the catalog, looked up when somebody presses the key."""

from collections.abc import Callable
from functools import partial

import click

Offer = Callable[[click.Context, click.Parameter, str], list[str]]


def names(kind: str, *more: str) -> Offer:
    """Offers the names of a kind in the catalog, or of "data", and more."""
    return partial(_names, kind, more)


def _names(kind: str, more: tuple[str, ...], context: click.Context, option: click.Parameter, begun: str) -> list[str]:
    if kind == "data":
        from distest.learning.population import names as bundled

        found = tuple(bundled())
    else:
        from distest import catalog

        found = catalog.names(kind)
    return [name for name in (*found, *more) if name.startswith(begun)]
