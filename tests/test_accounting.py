"""Accounting: for every protocol the ledger, the decoded lengths, the transcript and the record say the same."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog, experiment, spec
from distest.bits import BitReader, Lengths
from distest.coins import KEY_BITS, PrivateCoins, PublicCoins, from_seed
from distest.learning.run import Outcome, learn, replay
from distest.wire import channel as channel_module
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger
from distest.wire.transport import Solo
from distest.wire.turn import DIRECTIONS

CASES = [  # protocol, n, m, s
    ("full_sample", 17, 331, 1),
    ("full_sample", 300, 50, 3),
    ("full_sample:code=truncated", 17, 331, 2),
    ("full_sample:code=block", 17, 331, 1),
    ("full_sample:estimator=minimax", 5, 20, 1),
    ("multiset", 6, 77, 4),
    ("multiset", 17, 331, 1),
    ("grouping:bits=3", 17, 331, 1),
    ("grouping:bits=1,shift=true", 5, 1000, 1),
    ("balanced_hash:bits=2", 17, 331, 1),
    ("linear_hash:bits=2", 17, 331, 1),
    ("linear_hash:bits=2,design=cycle", 16, 331, 1),
    ("recursive_hadamard:bits=2", 17, 331, 1),
    ("simulate_infer:bits=2", 17, 324, 1),
    ("simulate_infer:bits=2,split=true", 17, 336, 1),
    ("golomb_gaps", 6, 77, 4),
    ("golomb_gaps", 300, 50, 30),
    ("golomb_gaps", 17, 331, 1),
    ("sparse_hash:bits=2,support=3", 17, 331, 1),
    ("adaptive_entropy", 17, 331, 1),
    ("adaptive_entropy:growth=0", 5, 40, 2),
    ("local_refinement:bits=2", 17, 331, 1),
    ("local_refinement:bits=1", 4, 33, 1),
    ("monotone_cells", 300, 331, 1),
    ("monotone_cells:tau=0.01,partition=birge", 5000, 77, 3),
    ("monotone_l2", 300, 331, 1),
    ("monotone_l2:eps=0.002", 5000, 77, 3),
    ("two_stage_histogram:pieces=3", 300, 331, 1),
    ("two_stage_histogram:pieces=3,first=0.5", 5000, 77, 3),
    ("two_stage_histogram_l2:pieces=3", 300, 331, 1),
    ("two_stage_histogram_l2:pieces=3,target=0.01", 5000, 77, 3),
    ("rank_sampling:pieces=3,every=7", 5000, 77, 30),
    ("rank_sampling:pieces=3", 300, 50, 12),
    ("tight_budget:bits=9", 300, 331, 1),
    ("tight_budget:bits=30", 5000, 77, 3),
    ("uneven_samples", 17, 331, 1),
    ("uneven_samples:referee=median", 5, 40, 9),
    ("arithmetic_counts", 300, 50, 12),
    ("arithmetic_counts:law=multiset", 6, 77, 4),
    ("haar_wavelet", 300, 50, 12),
    ("haar_wavelet:lam=0.2,threshold=true", 17, 77, 4),
    ("tree_localisation:bits=2,support=3", 300, 331, 1),
    ("one_bit_counts", 5, 331, 4),
    ("one_bit_adaptive", 5, 331, 4),
    ("dense_counts:bits=3", 17, 331, 4),
    ("block_refinement:bits=3", 17, 400, 4),
    ("adaptive_refinement:bits=3", 17, 400, 4),
]


def spec_of(protocol: str, n: int, m: int, s: int) -> spec.LearnSpec:
    table = {"protocol": protocol, "n": n, "m": m, "s": s, "distribution": "zipf", "seed": 3}
    return spec.check(spec.normalise(table))


def run(protocol: str, n: int, m: int, s: int) -> tuple[dict[str, Any], Board]:
    asked = spec_of(protocol, n, m, s)
    ((record, board),) = experiment.run(asked, experiment.plan(asked), Solo(), True)
    assert board is not None
    return record, board


def outcome_of(protocol: str, n: int, m: int, s: int) -> Outcome:
    asked = spec_of(protocol, n, m, s)
    trial = experiment.plan(asked)[0]
    coins, data = from_seed(3)
    channel = Channel(m, Solo(), trial.protocol.model, True)
    outcome = learn(trial.protocol, experiment.sampler(trial, asked, data)(0).draw, channel, coins.fold("repeat", 0))
    assert outcome is not None
    return outcome


class Meter(BitReader):
    """A reader that writes down every length it is told."""

    __slots__ = ()
    seen: list[int] = []  # noqa: RUF012 - one list for all readers of a test

    def took(self, count: int, lengths: Lengths) -> None:
        super().took(count, lengths)
        each: NDArray[np.int64] = np.broadcast_to(np.asarray(lengths, np.int64), count)
        self.seen.extend(each.tolist())


def test_the_cases_cover_every_protocol() -> None:
    assert {protocol.partition(":")[0] for protocol, *_ in CASES} == set(catalog.names("protocol"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ledger_decoded_lengths_transcript_and_record_agree(
    case: tuple[str, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "BitReader", Meter)
    monkeypatch.setattr(Meter, "seen", [])
    record, board = run(*case)
    assert record["payload_bits"] == sum(Meter.seen) == board.n_bits
    assert record["messages"] == len(Meter.seen)
    assert record["payload_bits_max"] == max(Meter.seen)
    assert record["digest"] == board.digest()
    assert record["rounds"] == len(board.posts)
    travelled = sum(chunk.payload.size for post in board.posts for chunk in post.chunks)
    assert (
        record["payload_bits"] <= 8 * travelled < record["payload_bits"] + 8 * sum(len(p.chunks) for p in board.posts)
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_directions_add_up_and_follow_the_turns(case: tuple[str, int, int, int]) -> None:
    record, board = run(*case)
    assert sum(record[f"payload_bits_{direction}"] for direction in DIRECTIONS) == record["payload_bits"]
    assert record["payload_bits_down"] == record["payload_bits_down_broadcast"] + record["payload_bits_down_unicast"]
    for direction in ("up", "board"):
        said = sum(c.n_bits for post in board.posts if post.turn.direction == direction for c in post.chunks)
        assert record[f"payload_bits_{direction}"] == said
    if record["model"] == "referee":
        assert record["payload_bits_up"] == record["payload_bits"]
    assert record["wire_bytes"] == 0  # one process


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rounds_and_parties_add_up(case: tuple[str, int, int, int]) -> None:
    outcome, m = outcome_of(*case), case[2]
    ledger: Ledger = outcome.ledger
    rows = ledger.by_round()
    assert outcome.board is not None
    assert [row["n_bits"] for row in rows] == [sum(c.n_bits for c in post.chunks) for post in outcome.board.posts]
    assert [row["messages"] for row in rows] == [len(post.turn.speakers) for post in outcome.board.posts]
    each = ledger.by_party(m)
    assert each.sum() == ledger.payload_bits
    assert each.min() >= 1  # nobody speaks for nothing
    assert np.array_equal(each, ledger.by_party(m, "up") + ledger.by_party(m, "board"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_server_writes_more_than_its_protocol_says(case: tuple[str, int, int, int]) -> None:
    cap = experiment.plan(spec_of(*case))[0].protocol.bits_per_server()
    if cap is not None:
        assert outcome_of(*case).ledger.by_party(case[2]).max() <= cap


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_replay_books_what_the_run_booked(case: tuple[str, int, int, int]) -> None:
    outcome = outcome_of(*case)
    assert outcome.board is not None
    again = replay(experiment.plan(spec_of(*case))[0].protocol, outcome.board, from_seed(3)[0].public.fold("repeat", 0))
    assert again.ledger.totals() == outcome.ledger.totals()
    assert again.ledger.by_round() == outcome.ledger.by_round()
    assert np.array_equal(again.ledger.by_party(case[2]), outcome.ledger.by_party(case[2]))
    assert again.digest == outcome.digest
    assert np.array_equal(again.estimate, outcome.estimate)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_coin_bits_are_announced_where_public_coins_are_used_and_nowhere_else(
    case: tuple[str, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"public": 0, "private": 0}
    for name, side in (("public", PublicCoins), ("private", PrivateCoins)):

        def counted(self: Any, *args: Any, name: str = name, words: Any = side.words) -> Any:
            asked[name] += 1
            return words(self, *args)

        monkeypatch.setattr(side, "words", counted)
    use = experiment.plan(spec_of(*case))[0].protocol.coin_use
    record, _ = run(*case)
    assert record["coins"] == use
    assert record["coin_bits"] == (KEY_BITS if use == "public" else 0)
    assert (asked["public"] > 0) == (use == "public")
    assert (asked["private"] > 0) == (use == "private")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_kept_board_changes_no_number(case: tuple[str, int, int, int]) -> None:
    asked = spec_of(*case)
    ((without, board),) = experiment.run(asked, experiment.plan(asked), Solo(), False)
    kept, _ = run(*case)
    assert board is None
    assert {k: v for k, v in without.items() if k != "seconds"} == {k: v for k, v in kept.items() if k != "seconds"}
