"""Rules: what a model of communication allows, before anybody speaks."""

from distest.errors import ModelError
from distest.wire.turn import Turn


class Rules:
    """Who may speak when, to whom, among `parties` parties in a model of `wire.channel`."""

    def __init__(self, model: str, parties: int):
        self._model, self._parties = model, parties
        self._spoken_to = 0  # one-way: every party below this one has had its turn

    def admit(self, turn: Turn) -> None:
        """Raises ModelError for a turn that the model does not allow after those before."""
        speakers, model = turn.speakers, self._model
        if turn.from_referee:
            if model != "blackboard" or (speakers and turn.readers != "each"):
                raise ModelError(
                    f"round {turn.round}: the referee speaks for itself and in the blackboard model alone, this is "
                    f"{model} and the speakers are {speakers}"
                )
            if speakers and speakers[-1] >= self._parties:
                raise ModelError(
                    f"round {turn.round}: the referee speaks to {speakers}, there are {self._parties} parties"
                )
            return
        if not speakers or speakers[-1] >= self._parties or turn.edges.stop > self._parties:
            raise ModelError(f"round {turn.round}: speakers {speakers} are not among {self._parties} parties")
        if model == "referee" and (turn.readers != "referee" or turn.round > 0):
            raise ModelError(
                f"round {turn.round}: the referee model has one simultaneous turn that the referee alone reads; "
                "declare the model 'one-way' or 'blackboard'"
            )
        if model == "one-way":
            if speakers.start < self._spoken_to:
                raise ModelError(
                    f"round {turn.round}: server {speakers.start} speaks after server {self._spoken_to - 1} has; "
                    "in the one-way model everyone speaks at most once, in order"
                )
            self._spoken_to = speakers[-1] + 1
