"""Steps on a network: loads of links are those of the books, and seconds are the arithmetic that is promised."""

import json
import os
import subprocess
import sys
import threading
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from distest import catalog, network, rehearsal, timing
from distest.cli import plan_
from distest.coins import from_seed
from distest.errors import UsageError
from distest.network import Network, Speed
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.common_scale import CommonScale
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger
from tests.sgd.test_exchanges import ALL, FOUR, averaged, gaussian, length
from tests.wire.threads import Meeting, Thread


@pytest.mark.parametrize("workers", range(2, 9))
@pytest.mark.parametrize("exchange", ALL, ids=lambda exchange: type(exchange).__name__)
@pytest.mark.parametrize("d", [840, 5])
def test_loads_are_what_the_books_hold_of_the_busiest_link(exchange: Exchange, workers: int, d: int) -> None:
    """Turn after turn; of a server's link all that goes through it. d = 5 leaves some workers without a part."""
    code = Identity() if isinstance(exchange, CommonScale) else FOUR
    _, channel, _ = averaged(exchange, code, gaussian(workers, d))
    loads = exchange.loads(d, workers, code, length)
    assert [(load.direction, load.bits) for load in loads] == booked(channel, workers)


def booked(channel: Channel, workers: int) -> list[tuple[str, float]]:
    """Direction, and bits of the busiest link, of turn after turn; of a server's link all that goes through it."""
    found: list[tuple[str, float]] = []
    for _, entries in groupby(channel.ledger.entries, key=lambda entry: entry.round):
        turn = list(entries)
        books, direction = Ledger(entries=turn), turn[0].direction
        busiest = books.payload_bits if direction in ("up", "down_unicast") else books.by_link(workers).max()
        found.append((direction, float(busiest)))
    return found


@pytest.mark.parametrize("name", ["qsgd", "top_k", "identity"])
def test_speeds_are_those_of_whole_messages(name: str) -> None:
    code = catalog.build("compressor", {"name": name, **({"bits": 4} if name == "qsgd" else {})})
    speed = network.measured(code, 3000, *from_seed(0))
    assert speed.encode_s > 0 < speed.decode_s
    assert speed.bits * 3000 == pytest.approx(length(code, 3000), rel=0.01)
    assert (speed.nmse == 0) == (name == "identity")


SPEEDS = {"identity": Speed(1e-10, 2e-10, 32.0, 0.0), "qsgd": Speed(1e-9, 3e-9, 4.0, 0.05)}
OTHER = Speed(1e-7, 1e-7, 1.0, 0.9)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of known speeds."""

    def measured(code: Any, d: int, coins: Any, data: Any) -> Speed:
        name = str(catalog.describe(code)["name"])
        return SPEEDS.get(name, OTHER) if code != catalog.build("compressor", network.CODES[1][0]) else OTHER

    monkeypatch.setattr(network, "measured", measured)


@pytest.mark.usefixtures("fixed")
def test_seconds_are_coding_messages_and_bits_one_after_the_other() -> None:
    d, workers, rate, latency = 10**6, 4, 1e9, 1e-5
    found = network.ways(d, workers, Network.of_links(rate, latency), 0.5)
    (dense,) = [way for way in found if way.parts.compressor == Identity()]
    assert type(dense.parts.exchange).__name__ == "ScatterReduce"
    assert dense.link_bits == 2 * 3 / 4 * 32 * d
    assert dense.network_s == pytest.approx(6 * latency + 48e6 / rate)
    assert dense.coding_s == pytest.approx(d * 1e-10 + 7 / 4 * d * 2e-10)
    assert dense.step_s == dense.compute_s + dense.coding_s + dense.network_s
    assert [way.step_s for way in found] == sorted(way.step_s for way in found)
    slow = network.ways(d, workers, Network.of_links(rate, latency), 0.5, slower=2.0)
    assert {way.label: way.coding_s for way in slow}[dense.label] == 2 * dense.coding_s


@pytest.mark.usefixtures("fixed")
def test_codes_pay_on_slow_links_and_not_on_fast_ones() -> None:
    slow = network.ways(10**6, 8, Network.of_links(1e8, 1e-5), 0.0)
    best, reason = network.recommended(slow, 0.1)
    assert catalog.describe(best.parts.compressor)["name"] == "qsgd"
    assert best.step_s == min(way.step_s for way in slow if way.nmse <= 0.1)
    assert "times as quick as identity, scatter_reduce" in reason
    assert "unbiased: a message adds 0.05" in network.about_steps(best, 8)
    wild, reason = network.recommended(slow, 1.0)
    assert wild.step_s == slow[0].step_s
    fast, reason = network.recommended(network.ways(10**6, 8, Network.of_links(1e13, 0.0), 0.0), 0.1)
    assert fast.parts.compressor == Identity()
    assert reason.startswith("nothing is quicker")
    assert network.about_steps(fast, 8) == "as many steps as without compression"


@pytest.mark.parametrize(
    ("d", "workers", "rate", "latency"), [(0, 2, 1e9, 0), (9, 1, 1e9, 0), (9, 2, 0, 0), (9, 2, 1e9, -1)]
)
def test_sizes_without_sense_are_refused(d: int, workers: int, rate: float, latency: float) -> None:
    with pytest.raises(UsageError, match="got"):
        network.ways(d, workers, Network.of_links(rate, latency), 0.0)


def test_the_network_between_ranks_is_timed_and_ranks_time_the_way_of_the_first() -> None:
    meeting, found = Meeting(2), [None, None]

    def rank(number: int) -> None:
        transport = Thread(meeting, number)
        between = timing.between_ranks(transport)
        way = network.recommended(network.ways(500, 2, between, 0.0), 0.1)[0] if number == 0 else None
        found[number] = (between, timing.timed(way, 500, (), transport))  # type: ignore[call-overload]

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found[0] is not None
    assert found[0] == found[1]  # the slowest rank's seconds, everywhere
    between, seconds = found[0]
    assert {*between.bit_s} == {"board", "peer"}
    assert min(between.message_s.values()) > 0 < seconds
    with pytest.raises(UsageError, match="2 to 7 ranks can have, got 8"):
        timing.check_ranks(8)


def test_the_command_shows_every_way_and_the_one_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan_.command(["--model-size", "1e5", "--link", "1e8", "--json"], standalone_mode=False) == 0
    *ways, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(ways) == len(network.CODES) + len(rehearsal.BITS) + 1
    assert sum(way["recommended"] for way in ways) == 1
    assert all(way["step_s"] == pytest.approx(way["coding_s"] + way["network_s"]) for way in ways)
    assert {*last} == {"reason", "steps", "left_out"}
    assert plan_.command(["--shapes", "90x100,100x10", "--workers", "4"], standalone_mode=False) == 0
    said = capsys.readouterr().out
    assert "d = 10,000, 4 workers, links of 1e+09 bit/s" in said
    assert " power_sgd" in said
    assert "left out: other methods" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--model-size 1.5", "a number of parameters from 1 on, got 1.5"),
        ("--model-size 1e4 --n 5", "give one of them"),
        ("--model-size 1e4 --shapes 100x100", "give one of them"),
        ("--shapes 3x", "sizes with an x between them, such as 784x256,256, got '3x'"),
        ("--shapes 0x5", "got '0x5'"),
        ("--model-size 1e4 --eps 0.1", "--eps goes with --n, not with --model-size"),
        ("--n 5 --eps 0.1 --link 1e9", "--link goes with --model-size, not with --n"),
        ("--model-size 1e4 --ranks 2", "--ranks goes with --check"),
        ("--model-size 1e4 --check", "for example --ranks 2"),
        ("--model-size 1e9 --check --ranks 2", "up to 2\\^26 parameters"),
        ("--model-size 1e4 --check --ranks 2 --link 1e9", "--link describes a network"),
        ("--n 16 --eps 0.1 --m 3", "one of --eps, --error and --m"),
        ("--n 16 --eps 0.1 --bits many", "a number or 'unlimited', got 'many'"),
        ("--n 16 --eps -0.1", "--eps is an error above 0"),
        ("--n 16 --eps 0.1 --repeats 3", "--repeats goes with --check"),
        ("--n 16 --eps 0.1 --out x", "--out keeps the records of --check"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(arguments: str, sentence: str) -> None:
    with pytest.raises(Exception, match=sentence):
        plan_.command(arguments.split(), standalone_mode=False)


@pytest.mark.mpi
def test_a_check_on_ranks_prints_predicted_and_measured_seconds() -> None:
    command = [sys.executable, "-m", "distest", "plan", "--shapes", "200x100", "--check", "--ranks", "2", "--json"]
    ended = subprocess.run([*command, "--limit", "90"], capture_output=True, text=True, timeout=120, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    checks = [line for line in lines if "check" in line]
    named = [check["check"].partition(" ")[0] for check in checks]
    assert {"identity,", "sketched_sgd", "power_sgd"} <= {*named}
    assert sum("common_scale" in check["check"] for check in checks) == len(rehearsal.BITS)
    assert all(check["measured ms"] > 0 < check["predicted ms"] for check in checks)
    assert np.isfinite([check["ratio"] for check in checks]).all()
