"""What can go wrong, by who has to mend it."""

import difflib
from collections.abc import Iterable
from importlib.util import find_spec


class DistestError(Exception):
    """Base of all errors raised on purpose; its text is one sentence for the user."""


class WireError(DistestError):
    """Bits that do not decode: cut short, damaged, or not of this format."""


class ModelError(DistestError):
    """A protocol broke the rules of its communication model."""


class PartyError(DistestError):
    """Something failed in the code of a block of parties; the text says which round, parties and rank."""


class DivergedError(DistestError):
    """Training has left the finite numbers; the text says which method, worker and step, and what may help."""


def diverged(error: BaseException | None) -> bool:
    """Whether an error is that training has left the finite numbers, perhaps as something told it on."""
    while error is not None and not isinstance(error, DivergedError):
        error = error.__cause__
    return error is not None


class UsageError(DistestError, ValueError):
    """A spec, file or argument that asks for something impossible."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not there: the nearest one that is, whatever the case, and all there are."""
    choices = list(known)
    by_fold = {choice.casefold(): choice for choice in reversed(choices)}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    guess = f" (did you mean {by_fold[near[0]]!r}?)" if near else ""
    return f"no {what} {name!r}{guess}; known: {', '.join(choices) or 'none'}"


def require(what: str, *packages: str, extra: str = "report") -> None:
    """Raise UsageError where an optional package is missing. what: that needs it; extra: which brings it."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        names = f"{', '.join(missing[:-1])}{' and ' * (len(missing) > 1)}{missing[-1]}"
        raise UsageError(f"{what} needs {names}, which {'are' if missing[1:] else 'is'} missing: {install(extra)}")


def install(extra: str) -> str:
    """The command that brings an extra to an installed distest."""
    return f'pip install "distest[{extra}]"'
