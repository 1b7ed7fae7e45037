"""Vectors told as their change on a grid: kernel and numpy give the same bits, and they are those of a plain loop."""

from typing import Any

import numpy as np
import pytest

from distest.kernels import grid


def naive(new: Any, memory: Any, block: int, points: int) -> tuple[list[float], list[int], Any]:
    """Radii, symbols and the memory after them, one coordinate after the other."""
    radii, symbols, vector = [], [], memory.copy()
    for begin in range(0, new.size, block):
        change = [new[j] - memory[j] for j in range(begin, min(begin + block, new.size))]
        radius = float(max(abs(c) for c in change))
        radii.append(radius)
        for j, c in enumerate(change, begin):
            said = np.float32(0)
            if radius:
                symbols.append(int((float(c) + radius) * ((points - 1) / (2 * radius)) + 0.5))
                said = np.float32(radius * (symbols[-1] * (2 / (points - 1)) - 1))
            vector[j] = memory[j] + said
    return radii, symbols, vector


@pytest.mark.parametrize("points", [2, 15, 16, 256])
@pytest.mark.parametrize(("d", "block"), [(1, 1), (700, 700), (1025, 1025), (1100, 64), (600, 7), (513, 512)])
def test_kernel_and_numpy_give_the_same_bits(monkeypatch: pytest.MonkeyPatch, d: int, block: int, points: int) -> None:
    rng = np.random.default_rng(d)
    for scale in (1.0, 1e-42, 1e30):
        memory, new = (rng.standard_normal((2, d)) * scale).astype(np.float32)
        new[d // 3 : d // 3 + 2 * block] = memory[d // 3 : d // 3 + 2 * block]  # radii of 0
        before = memory.copy()
        found = []
        for compiled in (True, False):
            monkeypatch.setattr(grid, "worth_compiling", lambda n, compiled=compiled: compiled)
            radii, symbols, vector, size, lost = grid.told(new, memory, block, points)
            found.append((radii.tobytes(), symbols.tobytes(), vector.tobytes(), size, lost))
            assert (memory == before).all()
        assert found[0] == found[1]
        expected = naive(new, memory, block, points)
        assert (radii.tolist(), symbols.tolist(), vector.tobytes()) == (*expected[:2], expected[2].tobytes())
        assert size == pytest.approx(np.square(grid.values(radii, symbols, block, points, d), dtype=float).sum())
        assert lost == pytest.approx(np.square(new - vector, dtype=float).sum())
        assert grid.present(radii, block, d) == symbols.size


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("d", "block"), [(1, 1), (700, 700), (1100, 64), (600, 7)])
def test_sums_of_several_rows_are_those_of_each(
    monkeypatch: pytest.MonkeyPatch, d: int, block: int, compiled: bool
) -> None:
    monkeypatch.setattr(grid, "worth_compiling", lambda n: compiled)
    new, memory = np.random.default_rng(d).standard_normal((2, 5, d)).astype(np.float32)
    new[3] = memory[3]
    each = [grid.told(*rows, block, 16)[3:] for rows in zip(new, memory, strict=True)]
    assert grid.weighed(new, memory, block, 16).tolist() == [list(sums) for sums in each]


@pytest.mark.parametrize("compiled", [True, False])
def test_a_change_beyond_all_floats_is_seen_in_its_size(monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    monkeypatch.setattr(grid, "worth_compiling", lambda n: compiled)
    x = np.full(5, 3e38, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(grid.told(x, -x, 5, 16)[3])
