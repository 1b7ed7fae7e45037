"""Tables: features and targets for the problems, from the bundle, from a user's file, or made by a generator.

Keeps the rule that a table is the same on every rank: the rows that are held out and the columns that are scaled
follow from the data alone, and generated data from a seed. This is the one module that uses numpy's generators:
the reference optima that the literature and our tests quote belong to data sets defined by `default_rng(seed)`.

Held out are the last fifth of `default_rng(0).permutation(rows)`, unless the data come with test rows of their own.
Columns that hold anything but 0 and 1 are centred and divided by their deviation over the training rows (a constant
column becomes 0); pixels are divided by 255 instead. A column of ones goes last where the model has no biases.
"""

import csv
import hashlib
import zipfile
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest import data as bundle
from distest.errors import UsageError, unknown

FILES = (".csv", ".npz")
MAX_CLASSES = 1000

Floats = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Training and held-out rows, all read-only.

    X, X_test: float32 (rows, columns). y, y_test: float32 targets or signs -1 / +1, or int64 classes 0..K-1.
    Generated tables hold nothing out: X_test has no rows. kinds: the number K of classes, 0 where y is no class.
    remark: a sentence for who trains, about what was made of a file.
    """

    X: Features
    y: NDArray[Any]
    X_test: Features
    y_test: NDArray[Any]
    kinds: int = 0
    remark: str = ""

    def __post_init__(self) -> None:
        for array in (self.X, self.y, self.X_test, self.y_test):
            array.flags.writeable = False

    def digest(self) -> str:
        """SHA-256 of the training rows, in hex: what an optimum depends on."""
        sha = hashlib.sha256(f"{self.X.shape} {self.y.dtype}".encode())
        sha.update(self.X.data)
        sha.update(self.y.data)
        return sha.hexdigest()


def check(problem: str, data: str, known: tuple[str, ...]) -> None:
    """Raises UsageError if `data` is none of the known names and no .csv or .npz file; reads nothing."""
    if data not in known and not data.lower().endswith(FILES):
        raise UsageError(f"{unknown(f'data set of {problem}', data, known)}, or a file that ends in .csv or .npz")


# ---- data for a kind of target


@lru_cache(maxsize=4)
def regression(data: str) -> Table:
    """Targets with mean 0 and deviation 1 over the training rows, float32; a column of ones last."""
    X, y, X_test, y_test = _scaled(data)
    mean, deviation = y.mean(), y.std()
    if deviation == 0:
        raise UsageError(f"{data}: every training row has the same target, there is nothing to fit")
    y, y_test = ((part - mean) / deviation for part in (y, y_test))
    return Table(_with_ones(X), _single(y), _with_ones(X_test), _single(y_test))


@lru_cache(maxsize=4)
def signs(data: str) -> Table:
    """Labels -1 / +1, float32: the larger of the two labels there are is +1; a column of ones last."""
    X, y, X_test, y_test = _scaled(data)
    found = np.unique(np.concatenate([y, y_test]))
    if len(found) != 2:
        raise UsageError(f"{data}: two labels are needed, such as 0 and 1, and there are {len(found)}")
    remark = ""
    if data.lower().endswith(FILES) and found.tolist() != [-1, 1]:
        remark = f"{data}: the labels {found[0]:g} and {found[1]:g} are taken as -1 and +1"
    y, y_test = (np.where(part == found[1], 1.0, -1.0) for part in (y, y_test))
    return Table(_with_ones(X), _single(y), _with_ones(X_test), _single(y_test), remark=remark)


@lru_cache(maxsize=4)
def unit_signs(data: str) -> Table:
    """As `signs`, all rows and each divided by its length, if it has one; no column of ones, nothing held out."""
    found = signs(data)
    X, y = (np.concatenate(pair) for pair in ((found.X[:, :-1], found.X_test[:, :-1]), (found.y, found.y_test)))
    lengths = np.sqrt(np.square(X, dtype=np.float64).sum(axis=1, keepdims=True))
    return replace(_all_training(X / np.where(lengths > 0, lengths, 1), y), remark=found.remark)


@lru_cache(maxsize=4)
def classes(data: str, ones: bool, scaled: bool = True) -> Table:
    """Classes 0..K-1 in the order of the labels, int64. ones: whether a column of ones goes last. scaled: columns."""
    X, y, X_test, y_test = _scaled(data, scaled)
    found, index = np.unique(np.concatenate([y, y_test]), return_inverse=True)
    if not 2 <= len(found) <= MAX_CLASSES:
        raise UsageError(f"{data}: 2 to {MAX_CLASSES} classes are needed, and there are {len(found)} different targets")
    index = index.astype(np.int64)
    finish = _with_ones if ones else _single
    return Table(finish(X), index[: len(y)], finish(X_test), index[len(y) :], len(found))


@lru_cache(maxsize=4)
def blocks(data: str, count: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Features and targets as they are stored, read-only float64, all of them training rows, and where blocks end.

    The last is int64 (count + 1,): block m is rows ends[m] .. ends[m + 1] - 1. Blocks are equal and consecutive and the
    remainder of the rows is dropped; a .npz file may say otherwise by an array `sizes`.
    """
    box = bundle.load(data) if not data.lower().endswith(FILES) else _read(Path(data))
    X, y = (box[key].astype(np.float64) for key in ("X", "y"))
    sizes = box.get("sizes", np.full(count, len(X) // count))
    if (
        sizes.ndim != 1
        or sizes.dtype.kind not in "iu"
        or len(sizes) != count
        or sizes.min() < 1
        or sizes.sum() > len(X)
    ):
        raise UsageError(f"{data}: {len(X)} rows are not cut into {count} blocks of {sizes.tolist()[:8]} ... rows")
    X.flags.writeable = y.flags.writeable = False
    return X, y, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


# ---- generators


@lru_cache(maxsize=4)
def scaled_gaussian(points: int, columns: int, threshold: float, factor: float, seed: int) -> Table:
    """Signs of a random plane through Gaussian rows, whose columns are then scaled unevenly; no column of ones.

    Rows abar ~ N(0, I), magnitudes beta uniform on [0, 1) by column, those of at most `threshold` multiplied by
    `factor`; features abar * beta, labels sign(abar . wbar) with wbar ~ N(0, I). Drawn in this order from
    default_rng(seed). Source: Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient
    Distributed Optimization" (2018), experiments.
    """
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((points, columns))
    beta = draw.random(columns)
    plane = draw.standard_normal(columns)
    y = np.where(rows @ plane < 0, -1.0, 1.0)
    beta[beta <= threshold] *= factor
    return _all_training(rows * beta, y)


@lru_cache(maxsize=4)
def spectrum(points: int, columns: int, condition: float, noise: float, seed: int) -> Table:
    """Targets X w + noise * N(0, 1) with w ~ N(0, I / columns) and X'X / points of a given condition number.

    The eigenvalues of X'X / points fall geometrically from 1 to 1 / condition along random directions, exactly up
    to rounding, so points >= columns. All drawn from default_rng(seed); no column of ones.
    """
    draw = np.random.default_rng(seed)
    left = np.linalg.qr(draw.standard_normal((points, columns)))[0]
    right = np.linalg.qr(draw.standard_normal((columns, columns)))[0]
    roots = np.sqrt(points) * np.geomspace(1.0, 1.0 / condition, columns) ** 0.5
    X = (left * roots) @ right.T
    w = draw.standard_normal(columns) / np.sqrt(columns)
    return _all_training(X, X @ w + noise * draw.standard_normal(points))


@lru_cache(maxsize=4)
def clouds(points: int, columns: int, centres: int, spread: float, noise: float, seed: int) -> Table:
    """Rows around centres, of which row r belongs to number r centres // points; that number is its class.

    A centre is c + spread * N(0, I) with c ~ N(0, I) for all, a row its centre + noise * N(0, I); drawn in this order
    from default_rng(seed). No column of ones.
    """
    draw = np.random.default_rng(seed)
    middle = draw.standard_normal(columns)
    around = middle + spread * draw.standard_normal((centres, columns))
    y = np.arange(points, dtype=np.int64) * centres // points
    X = around[y] + noise * draw.standard_normal((points, columns))
    return Table(_single(X), y, np.empty((0, columns), np.float32), np.empty(0, np.int64), centres)


# ---- from raw numbers to a table

_Parts = tuple[Floats, Floats, Floats, Floats]  # X, y, X_test, y_test


def _scaled(data: str, scaled: bool = True) -> _Parts:
    if data == "fashion14":
        box = bundle.load(data)
        pixels = (box[key].astype(np.float64) / 255 for key in ("X_train", "X_test"))
        X, X_test = pixels
        return X, box["y_train"].astype(np.float64), X_test, box["y_test"].astype(np.float64)
    box = bundle.load(data) if not data.lower().endswith(FILES) else _read(Path(data))
    X, y = (box[key].astype(np.float64) for key in ("X", "y"))
    if "X_test" in box:
        X_test, y_test = (box[key].astype(np.float64) for key in ("X_test", "y_test"))
    else:
        order = np.random.default_rng(0).permutation(len(X))
        train, test = np.split(order, [4 * len(X) // 5])
        X, y, X_test, y_test = X[train], y[train], X[test], y[test]
    if not scaled:
        return X, y, X_test, y_test
    real = ((X != 0) & (X != 1)).any(axis=0)
    mean, deviation = X[:, real].mean(axis=0), X[:, real].std(axis=0)
    deviation[deviation == 0] = 1
    for part in (X, X_test):
        part[:, real] = (part[:, real] - mean) / deviation
    return X, y, X_test, y_test


def _with_ones(X: Floats) -> Features:
    wide = np.ones((X.shape[0], X.shape[1] + 1), dtype=np.float32)
    wide[:, :-1] = X
    return wide


def _single(array: Floats) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, dtype=np.float32)


def _all_training(X: Floats, y: Floats) -> Table:
    return Table(_single(X), _single(y), np.empty((0, X.shape[1]), np.float32), np.empty(0, np.float32))


# ---- a user's file


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """X and y, and X_test and y_test where the file has them; all finite and of shapes that fit."""
    try:
        box = _read_csv(path) if path.suffix.lower() == ".csv" else _read_npz(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    for part in ("", "_test") if "X_test" in box else ("",):
        X, y = box[f"X{part}"], box[f"y{part}"]
        if X.ndim != 2 or y.shape != X.shape[:1] or X.shape[1] < 1 or X.shape[1] != box["X"].shape[1]:
            raise UsageError(f"{path}: X{part} is (rows, columns) and y{part} (rows,), got {X.shape} and {y.shape}")
        if len(X) < 5:
            raise UsageError(f"{path}: at least 5 rows are needed, X{part} has {len(X)}")
        if not all(array.dtype.kind in "biuf" and np.isfinite(array).all() for array in (X, y)):
            raise UsageError(f"{path}: X{part} and y{part} hold finite numbers and nothing else")
    return box


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            box = {key: np.asarray(stored[key]) for key in ("X", "y", "X_test", "y_test", "sizes") if key in stored}
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:  # TypeError: a bare .npy array
        raise UsageError(f"{path} is not an .npz file of plain arrays: {' '.join(str(error).split())}") from None
    if "X" not in box or "y" not in box or ("X_test" in box) != ("y_test" in box):
        raise UsageError(f"{path} needs arrays X and y, and both or neither of X_test and y_test; it has {list(box)}")
    return box


def _read_csv(path: Path) -> dict[str, NDArray[Any]]:
    """Numbers with commas between them; the last column is the target; one header line may come first."""
    rows: list[list[float]] = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            for cells in reader:
                try:
                    row = [float(cell) for cell in cells]
                except ValueError:
                    if not rows and reader.line_num == 1:
                        continue  # the header
                    raise UsageError(f"{path}, line {reader.line_num}: every cell is a number") from None
                if row and rows and len(row) != len(rows[0]):
                    said = f"{len(row)} cells where the rows before have {len(rows[0])}"
                    raise UsageError(f"{path}, line {reader.line_num}: {said}")
                if row:
                    rows.append(row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {reader.line_num}: not a table ({error})") from None
    if not rows or len(rows[0]) < 2:
        raise UsageError(f"{path}: a table has at least one column of features and, last, the target")
    table = np.array(rows)
    return {"X": table[:, :-1], "y": table[:, -1]}
