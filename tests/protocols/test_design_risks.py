"""Recursive Hadamard, simulated samples, Golomb gaps, sparse hashes: what runs measure against what formulas say.

Every number is a mean over independent runs and may be 3 standard errors off its exact formula; a right formula is
farther off with probability 0.3 % (normal approximation), some one of the about 100 numbers of this file with about
25 %. Inequalities have room for 5 standard errors. Seeds are fixed, so the file passes or fails for good; they are
the first that were tried.
"""

from itertools import combinations, pairwise, product
from typing import Any, ClassVar

import numpy as np
import pytest

from analysis.bounds import risks
from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.learning import norms
from distest.learning.fitting import simplex
from distest.learning.norms import Pmf
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.wire.channel import Tally
from distest.wire.turn import block_size
from protocols.simulate_infer import SimulateInfer
from tests.protocols.test_risks import LAWS, agree, law, mean_and_error, outcomes


def build(task: Task, name: str, **options: Any) -> Any:
    return catalog.build("protocol", {"name": name, **options}, task=task)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_recursive_hadamard_at_uniform_is_the_value_of_its_design(bits: int) -> None:
    """40 servers a row: (15/16)/40 whatever the bits."""
    m = 40 * (16 >> (bits - 1))
    risk = build(Task(16, m), "recursive_hadamard", bits=bits).risk(law("uniform", 16))
    assert risk.exact
    assert risk.l2_squared == pytest.approx(0.0234375, abs=1e-12)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_even_recursive_hadamard_is_the_short_formula(bits: int, name: str) -> None:
    length, pmf = 16 >> (bits - 1), law(name, 16)
    assert risks.recursive_hadamard_l2(pmf, 7 * length, bits) == pytest.approx((1 - pmf @ pmf) / 7, rel=1e-12)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("n", "m", "bits"), [(16, 320, 1), (16, 173, 2), (11, 101, 2), (13, 97, 3)])
def test_recursive_hadamard_has_its_exact_risk(n: int, m: int, bits: int, name: str) -> None:
    """Also where rows have different counts, and where the last chunks are padding."""
    task, pmf = Task(n, m), law(name, n)
    protocol = build(task, "recursive_hadamard", bits=bits)
    runs = outcomes(protocol, pmf, 900)
    agree([norms.l2_squared(run.estimate, pmf) for run in runs], protocol.risk(pmf).l2_squared)
    agree([float(run.estimate[0]) for run in runs], pmf[0])
    assert {run.ledger.payload_bits for run in runs} == {protocol.payload_bits(pmf)}


def test_two_bits_tell_recursive_hadamard_from_grouping() -> None:
    """n = 16, m = 1600, uniform: 4.6875e-3 against 3.125e-3; each measurement denies the other's formula."""
    task, pmf = Task(16, 1600), law("uniform", 16)
    for name, own, other in (("recursive_hadamard", 4.6875e-3, 3.125e-3), ("grouping", 3.125e-3, 4.6875e-3)):
        protocol = build(task, name, bits=2)
        assert protocol.risk(pmf).l2_squared == pytest.approx(own, rel=1e-12)
        losses = [norms.l2_squared(run.estimate, pmf) for run in outcomes(protocol, pmf, 600)]
        agree(losses, own)
        mean, error = mean_and_error(losses)
        assert abs(mean - other) > 5 * error


def test_recursive_hadamard_needs_a_server_a_row() -> None:
    build(Task(16, 8), "recursive_hadamard", bits=2)
    with pytest.raises(UsageError, match="each of 8 rows of its Hadamard matrix, got m=7"):
        build(Task(16, 7), "recursive_hadamard", bits=2)
    with pytest.raises(ValueError, match="7 servers"):
        risks.recursive_hadamard_l2(np.full(16, 1 / 16), 7, 2)
    with pytest.raises(ValueError, match="1 to 4 bits"):
        risks.recursive_hadamard_l2(np.full(16, 1 / 16), 100, 5)


def test_chance_of_a_simulated_sample() -> None:
    """The values of docs/bounds.md; with x and x + n in blocks far apart a peak costs 3/4 and not nearly all."""
    assert risks.simulation_success(np.full(32, 1 / 32), 1, False) == pytest.approx((31 / 32) ** 32, rel=1e-12)
    assert risks.simulation_success(np.full(32, 1 / 32), 1, False) == pytest.approx(0.362055, abs=1e-6)
    peak = np.zeros(16)
    peak[:2] = 0.99, 0.01
    assert risks.simulation_success(peak, 2, True) == pytest.approx(0.25, abs=1e-12)
    assert risks.simulation_success(peak, 2, False) == 0
    for name in LAWS:
        for bits in (1, 2, 3):
            assert risks.simulation_success(law(name, 11), bits, True) >= 0.25


SIMULATIONS = [(8, 200, 1, False), (11, 331, 2, False), (11, 301, 2, True), (11, 70, 3, False), (8, 64, 1, False)]


class Watched(SimulateInfer):
    """Writes down how many outputs the referee had."""

    accepted: ClassVar[list[int]] = []

    def decide(self, tally: Tally) -> Pmf:
        n = self.task.n
        self.accepted.append(int(tally[:n].sum() + self.outputs(tally[n:].reshape(-1, self.batch)).sum()))
        return super().decide(tally)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("n", "m", "bits", "split"), SIMULATIONS)
def test_simulated_samples_are_samples_of_p(n: int, m: int, bits: int, split: bool, name: str) -> None:
    """Chance of acceptance, mean of every output, risk given what was accepted, and risk on average."""
    pmf = law(name, n)
    protocol = Watched(Task(n, m), bits, split)
    Watched.accepted.clear()
    batches, runs = len(protocol.speakers) // protocol.batch, outcomes(protocol, pmf, 1500)
    losses = np.array([norms.l2_squared(run.estimate, pmf) for run in runs])
    agree(losses, risks.simulation_l2(pmf, m, bits, split))
    assert protocol.risk(pmf).l2_squared == risks.simulation_l2(pmf, m, bits, split)
    assert {run.ledger.payload_bits for run in runs} == {protocol.payload_bits(pmf)}
    accepted = np.array(Watched.accepted)
    agree(accepted / batches, risks.simulation_success(pmf, bits, split))
    some = accepted > 0
    agree(losses[some] * accepted[some], float(1 - pmf @ pmf))
    firsts = np.array([run.estimate[0] for run in runs])
    agree(firsts[some], pmf[0])


def test_simulation_reads_batches_that_lie_in_several_blocks() -> None:
    """The referee's fold against a plain loop over the servers' messages, in blocks smaller and larger than batches."""
    generator = np.random.default_rng(5)
    for n, m, bits in ((4, 7, 1), (16, 203, 2), (30, 203, 1), (16, 203, 4), (5, 10, 2)):
        task = Task(n, m)
        if (1 << bits) > n or m < 2 * -(-n // ((1 << bits) - 1)):
            continue
        protocol = build(task, "simulate_infer", bits=bits)
        samples = generator.integers(0, n, (m, 1)).astype(np.int32)
        coins, _ = from_seed(1)
        told, codes = None, []
        step = block_size(m)
        for start in range(0, len(protocol.speakers), step):
            block = protocol.speakers[start : start + step]
            servers = Servers(block, samples[block.start : block.stop])
            messages = protocol.message(servers, coins)
            codes += BitReader(messages.data, messages.n_bits).symbols(len(block), bits).tolist()
            tally = protocol.read(block, BitReader(messages.data, messages.n_bits), coins.public)
            told = tally if told is None else told + tally
        counts = np.zeros(n)
        for at in range(0, len(codes), protocol.batch):
            first, second = codes[at : at + protocol.batch : 2], codes[at + 1 : at + protocol.batch : 2]
            named = [(j, code) for j, code in enumerate(first) if code]
            if len(named) == 1 and second[named[0][0]] == 0:
                counts[named[0][0] * protocol.size + named[0][1] - 1] += 1
        expected = counts / counts.sum() if counts.sum() else np.full(n, 1 / n)
        assert protocol.decide(told).tolist() == expected.tolist()


def test_simulation_refuses_what_it_cannot_do() -> None:
    build(Task(16, 12), "simulate_infer", bits=2)
    with pytest.raises(UsageError, match=r"needs 12 servers to simulate a sample .* got m=11"):
        build(Task(16, 11), "simulate_infer", bits=2)
    with pytest.raises(UsageError, match=r"needs 22 servers .* split=true, got m=21"):
        build(Task(16, 21), "simulate_infer", bits=2, split=True)
    with pytest.raises(ValueError, match="send the sample instead"):
        risks.simulation_success(np.full(3, 1 / 3), 2, False)
    with pytest.raises(ValueError, match="no batch"):
        risks.simulation_l2(np.full(16, 1 / 16), 11, 2, False)
    protocol = build(Task(16, 12), "simulate_infer", bits=2)
    last = Messages.of_symbols(np.array([2], np.uint8), 2)  # the last pair watches symbol 15 alone
    with pytest.raises(WireError, match="outside the domain of 16"):
        protocol.read(range(11, 12), BitReader(last.data, last.n_bits), from_seed(1)[0].public)


# n, s, entropy of the counts of s uniform samples, mean bits of their gaps
GAPS = [(256, 16, 84.2, 86.861), (256, 256, 476.2, 510.422), (4096, 64, 472.5, 477.476), (4096, 1024, 3642.6, 3763.615)]


@pytest.mark.parametrize(("n", "s", "entropy", "bits"), GAPS)
def test_gaps_take_little_more_than_the_entropy_of_the_counts(n: int, s: int, entropy: float, bits: float) -> None:
    each = build(Task(n, 1, s), "golomb_gaps").payload_bits(np.full(n, 1 / n))
    assert 1.01 * entropy < each < 1.075 * entropy
    assert each == pytest.approx(bits, abs=1e-3)


@pytest.mark.parametrize(("n", "s"), [(2, 1), (3, 2), (5, 3), (7, 4), (11, 2), (4, 6)])
def test_lengths_of_gaps_are_those_of_all_multisets(n: int, s: int) -> None:
    """Mean and greatest length by going through all samples a server can have."""
    protocol = build(Task(n, 1, s), "golomb_gaps")
    pmf = law("zipf", n)
    every = np.array(list(product(range(n), repeat=s)), np.int32)
    words = protocol.message(Servers(range(len(every)), every), from_seed(1)[0])
    messages = words if isinstance(words, Messages) else words.pack()
    lengths = np.broadcast_to(messages.lengths, len(every))
    assert protocol.payload_bits(pmf) == pytest.approx(float(pmf[every].prod(axis=1) @ lengths), rel=1e-12)
    assert protocol.bits_per_server() == lengths.max()


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("n", "m", "s"), [(11, 30, 4), (64, 20, 16)])
def test_gaps_have_the_risk_of_all_samples_and_their_length(n: int, m: int, s: int, name: str) -> None:
    task, pmf = Task(n, m, s), law(name, n)
    protocol = build(task, "golomb_gaps")
    runs, risk = outcomes(protocol, pmf, 900), protocol.risk(pmf)
    agree([norms.l2_squared(run.estimate, pmf) for run in runs], risk.l2_squared)
    agree([norms.l1(run.estimate, pmf) for run in runs], risk.l1)
    agree([float(run.ledger.payload_bits) for run in runs], protocol.payload_bits(pmf))
    assert max(run.ledger.totals()["payload_bits_max"] for run in runs) <= protocol.bits_per_server()


def test_gaps_that_leave_the_domain_or_are_too_long_are_refused() -> None:
    protocol = build(Task(8, 1, 2), "golomb_gaps")
    words = protocol.code.pack(np.array([[5, 3]]))
    with pytest.raises(WireError, match="add up to a symbol outside the domain of 8"):
        protocol.read(range(1), BitReader(words.data, words.n_bits), from_seed(1)[0].public)
    build(Task(1 << 20, 1, 1 << 22), "golomb_gaps")
    with pytest.raises(UsageError, match=r"divides by M=1 .*; use multiset"):
        build(Task((1 << 20) + 1, 1, 1 << 22), "golomb_gaps")
    assert build(Task(5000, 1, 2), "golomb_gaps").payload_bits(np.full(5000, 1 / 5000)) is None


def sparse_law(n: int, places: list[int]) -> Pmf:
    pmf = np.zeros(n)
    pmf[places] = law("zipf", len(places))
    return pmf


def test_few_symbols_are_learned_from_few_servers() -> None:
    """n = 256, four symbols, two bits: the error falls with m, below its bound, far below the plain linear hash."""
    n, pmf = 256, sparse_law(256, [7, 90, 91, 200])
    means = []
    for m in (2000, 8000, 32000):
        protocol = build(Task(n, m), "sparse_hash", bits=2, support=4)
        runs, risk = outcomes(protocol, pmf, 300), protocol.risk(pmf)
        mean, error = mean_and_error([norms.l2_squared(run.estimate, pmf) for run in runs])
        assert not risk.exact
        assert mean + 5 * error < risk.l2_squared
        assert mean + 5 * error < risks.linear_hash_l2(pmf, m, 2) / 10
        assert {run.ledger.payload_bits for run in runs} == {2 * m}
        means.append((mean, error))
    for (more, before), (less, after) in pairwise(means):
        assert less + 5 * after < (more - 5 * before) / 2


def test_more_symbols_to_find_cost_more() -> None:
    """Keeping 64 of 256 symbols where 4 have mass lets noise in; keeping all of them is projection alone."""
    pmf = sparse_law(256, [7, 90, 91, 200])
    means = []
    for support in (4, 64):
        protocol = build(Task(256, 4000), "sparse_hash", bits=2, support=support)
        means.append(mean_and_error([norms.l2_squared(run.estimate, pmf) for run in outcomes(protocol, pmf, 100)]))
    assert means[0][0] + 5 * means[0][1] < means[1][0] - 5 * means[1][1]


def test_full_support_is_the_linear_hash_on_the_simplex() -> None:
    task, pmf = Task(16, 300), law("zipf", 16)
    ours = outcomes(build(task, "sparse_hash", bits=2, support=16), pmf, 5)
    theirs = outcomes(build(task, "linear_hash", bits=2), pmf, 5)
    for mine, plain in zip(ours, theirs, strict=True):
        assert mine.digest == plain.digest
        assert np.allclose(mine.estimate, simplex.project(plain.estimate), rtol=0, atol=1e-12)


def test_the_sparse_estimate_is_the_nearest_of_all() -> None:
    """Against the projections on all sets of three of eight symbols."""
    task, pmf = Task(8, 40), law("zipf", 8)
    ours = outcomes(build(task, "sparse_hash", bits=1, support=3), pmf, 20)
    theirs = outcomes(build(task, "linear_hash", bits=1), pmf, 20)
    for mine, plain in zip(ours, theirs, strict=True):
        distances = []
        for kept in combinations(range(8), 3):
            other = np.zeros(8)
            other[list(kept)] = simplex.project(plain.estimate[list(kept)])
            distances.append(norms.l2_squared(other, plain.estimate))
        assert norms.l2_squared(mine.estimate, plain.estimate) == pytest.approx(min(distances), rel=1e-9)
        assert np.count_nonzero(mine.estimate) <= 3
        assert mine.estimate.sum() == pytest.approx(1, abs=1e-12)


def test_nothing_is_promised_where_p_has_more_symbols() -> None:
    assert build(Task(16, 300), "sparse_hash", bits=2, support=15).risk(law("uniform", 16)) is None
    with pytest.raises(ValueError, match="at most 15 symbols, p has 16"):
        risks.sparse_hash_l2_at_most(np.full(16, 1 / 16), 300, 2, 15)
