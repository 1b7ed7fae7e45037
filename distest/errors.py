"""What can go wrong, by who has to mend it."""

import difflib
from collections.abc import Iterable


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
