"""A run over MPI is the run of one process: same transcripts, same estimates; and MPI carries what the ledger says."""

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from distest import catalog
from distest.wire.transport import HEADER_BYTES
from distest.wire.turn import blocks_of, hosted

M, RANKS, BITS = 1003, 3, 3
MORE_THAN_THREE = (
    "simulate_infer",  # two servers for each of two blocks at least
    *("one_bit_counts", "one_bit_adaptive", "dense_counts"),  # several samples, and several servers a symbol
    *("block_refinement", "adaptive_refinement", "rank_sampling", "haar_wavelet"),
)
Bytes = Counter[tuple[int, int]]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The digests of one process without MPI."""
    from tests.mpi import launching

    return read(launching.run("digests.py", ranks=0))


def read(ran: Any) -> dict[str, Any]:
    """The JSON a program printed, once it has ended well."""
    assert (ran.code, ran.left) == (0, ()), ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_every_protocol_is_among_the_runs(alone: dict[str, Any]) -> None:
    for name in catalog.names("protocol"):
        for m in (3, M):
            fits = m == M or name not in MORE_THAN_THREE
            runs = [(run.split()[0], run.split()[2].rstrip(",")) for run in alone]
            assert ((str(m), name) in runs) == fits, (name, m)


def test_hearing_leaves_no_trace_in_one_process(alone: dict[str, Any]) -> None:
    for run, found in alone.items():
        assert found == alone[run.replace("spread", "central")], run


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_transcript_and_estimate_are_the_same_at_any_number_of_ranks(
    mpi: ModuleType, alone: dict[str, Any], ranks: int
) -> None:
    assert M % 3
    assert not hosted(3, 0, 4)  # a rank that hosts nobody
    spread = read(mpi.run("digests.py", ranks=ranks, limit_s=60.0))
    assert spread.keys() == alone.keys()
    assert [run for run in alone if spread[run] != alone[run]] == []


# Open MPI's monitoring layer writes, for each rank, "I from to bytes": what really went from rank to rank inside
# collectives, and "A2A rank bytes": what a rank handed to collectives of all with all. The rules, with P ranks, where
# every step of a turn moves one chunk a rank, of ceil(bits / 8) bytes behind a header of 8 (an empty chunk where a
# rank has no block left):
#   a referee turn sends from each rank other than the root its chunks and headers to the root, and nothing else;
#   a board turn hands over those of all ranks, the root too, P - 1 times each; and with the ring algorithm it really
#   sends them as often, along the ring: to its right neighbour a rank forwards all chunks but that neighbour's own.
# The ledger's wire bytes are the sum over all ranks. The allowed difference is none.


@pytest.mark.mpi
def test_the_meter_of_a_referee_run_counts_what_the_ledger_says(mpi: ModuleType, tmp_path: Path) -> None:
    ledger, sent, handed = metered(mpi, tmp_path, "grouping")
    expected = handed_over([range(M)])
    assert sent == Counter({(rank, 0): expected[rank] for rank in range(1, RANKS)})
    assert sum(sent.values()) == ledger["wire_bytes"]
    assert sum(handed.values()) == 0
    assert ledger["payload_bits_up"] == M * BITS


@pytest.mark.mpi
def test_the_meter_of_board_turns_counts_what_the_ledger_says(mpi: ModuleType, tmp_path: Path) -> None:
    ledger, sent, handed = metered(mpi, tmp_path, "local_refinement")
    expected = handed_over([range(0, M, 2), range(1, M, 2)])
    everything = sum(expected.values())
    right = {rank: (rank + 1) % RANKS for rank in range(RANKS)}
    assert handed == Counter({rank: (RANKS - 1) * expected[rank] for rank in range(RANKS)})
    assert sent == Counter({(rank, right[rank]): everything - expected[right[rank]] for rank in range(RANKS)})
    assert sum(sent.values()) == ledger["wire_bytes"] == sum(handed.values())
    assert ledger["payload_bits_board"] == M * BITS


def handed_over(turns: list[range]) -> Counter[int]:
    """Bytes of the chunks of each rank in turns where everybody writes BITS bits, headers included."""
    out: Counter[int] = Counter()
    for speakers in turns:
        blocks = [[b for _, b in blocks_of(speakers, hosted(M, rank, RANKS), M)] for rank in range(RANKS)]
        steps = max(map(len, blocks))
        for rank, mine in enumerate(blocks):
            out[rank] += HEADER_BYTES * steps + sum((len(block) * BITS + 7) // 8 for block in mine)
    return out


def metered(mpi: ModuleType, folder: Path, protocol: str) -> tuple[dict[str, Any], Bytes, Counter[int]]:
    """The ledger of a run; what Open MPI saw going from rank to rank; what ranks handed to all-to-all collectives."""
    if not mpi.is_open_mpi():
        pytest.skip("only Open MPI has a monitoring layer")
    settings = {
        "OMPI_MCA_pml_monitoring_enable": "2",
        "OMPI_MCA_pml_monitoring_enable_output": "3",
        "OMPI_MCA_pml_monitoring_filename": str(folder / "meter"),
        "OMPI_MCA_coll_tuned_use_dynamic_rules": "1",
        "OMPI_MCA_coll_tuned_allgather_algorithm": "4",  # ring
        "OMPI_MCA_coll_tuned_allgatherv_algorithm": "3",  # ring
    }
    ledger = read(mpi.run("metered.py", protocol, str(BITS), ranks=RANKS, parties=M, settings=settings))
    sent: Bytes = Counter()
    handed: Counter[int] = Counter()
    files = sorted(folder.glob("meter.*.prof"))
    assert len(files) == RANKS
    for file in files:
        for line in file.read_text().splitlines():
            kind, *fields = line.split("\t")
            if kind in ("E", "I"):
                sent[int(fields[0]), int(fields[1])] += int(fields[2].split()[0])
            elif kind == "A2A":
                handed[int(fields[0])] += int(fields[1].split()[0])
    return ledger, sent, handed
