"""What can go wrong, by who has to mend it."""


class DistestError(Exception):
    """Base of all errors raised on purpose; its text is one sentence for the user."""


class WireError(DistestError):
    """Bits that do not decode: cut short, damaged, or not of this format."""


class ModelError(DistestError):
    """A protocol broke the rules of its communication model."""


class PartyError(DistestError):
    """Something failed in the code of a block of parties; the text says which round, parties and rank."""


class UsageError(DistestError, ValueError):
    """A spec, file or argument that asks for something impossible."""
