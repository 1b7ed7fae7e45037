"""The data that travel with distest: hashes, shapes and the figures that fix each set."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distest import data

FOLDER = Path(data.__file__).parent
SHAPES = {
    "departures": {"counts": ((1440,), "int64")},
    "delays": {"counts": ((1345,), "int64"), "offset": ((), "int64")},
    "ages": {"counts": ((74,), "int64"), "offset": ((), "int64")},
    "life_table": {"survivors": ((120,), "int64"), "deaths": ((120,), "int64")},
    "words": {"counts": ((82834,), "int64")},
    "babynames": {"counts": ((97310,), "int64")},
    "abalone": {"X": ((4177, 8), "float64"), "y": ((4177,), "float64")},
    "ionosphere": {"X": ((351, 34), "float64"), "y": ((351,), "uint8")},
    "a9a": {"X": ((32561, 123), "uint8"), "y": ((32561,), "uint8")},
    "fashion14": {
        "X_train": ((6000, 196), "uint8"),
        "y_train": ((6000,), "uint8"),
        "X_test": ((1000, 196), "uint8"),
        "y_test": ((1000,), "uint8"),
    },
    "shakespeare": {"text": ((1115128,), "uint8")},
}


def test_the_files_are_the_ones_that_sha256sums_names() -> None:
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.npz")}
    assert {line.split("  ")[1]: line.split("  ")[0] for line in lines} == files
    assert {f"{name}.npz" for name in SHAPES} == set(files)


def test_the_bundle_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 1_800_000


def test_names_are_sorted_and_complete() -> None:
    assert data.names() == sorted(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_have_the_shapes_and_types_the_module_promises(name: str) -> None:
    assert {key: (a.shape, str(a.dtype)) for key, a in data.load(name).items()} == SHAPES[name]


def test_every_load_is_a_fresh_copy() -> None:
    data.load("ages")["counts"][:] = 0
    assert data.load("ages")["counts"].sum() == 32561


@pytest.mark.parametrize("name", ["", "words.npz", "../data/words", "Words", "imagenet"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"no data set .*; known: a9a, abalone, .*, words$"):
        data.load(name)


def test_every_set_has_a_line_and_a_credit_in_sources() -> None:
    table, credit = (FOLDER / "SOURCES.md").read_text(encoding="utf-8").split("## Credit")
    for name in SHAPES:
        assert f"| `{name}` |" in table
        assert f"`{name}`" in credit


def test_a9a_has_the_ones_and_labels_of_libsvms_file() -> None:
    # 451,592 ones in 123 columns; 7,841 of 32,561 people earn more than 50K.
    a9a = data.load("a9a")
    assert int(a9a["X"].sum(dtype=np.int64)) == 451_592
    assert int(a9a["y"].sum(dtype=np.int64)) == 7_841
    assert set(np.unique(a9a["X"])) == {0, 1}


def test_abalone_and_ionosphere_are_coded_as_promised() -> None:
    abalone, ionosphere = data.load("abalone"), data.load("ionosphere")
    assert [int((abalone["X"][:, 0] == code).sum()) for code in (0, 1, 2)] == [1528, 1307, 1342]  # M, F, I
    assert (abalone["y"].min(), abalone["y"].max()) == (1, 29)
    assert set(ionosphere["X"][:, 0]) == {-1.0, 1.0}
    assert not ionosphere["X"][:, 1].any()
    assert int(ionosphere["y"].sum(dtype=np.int64)) == 126


def test_ridge_on_abalone_has_the_reference_loss() -> None:
    # 80 % of the rows, standardised, with a column of ones, lambda 1e-3.
    X, y = data.load("abalone").values()
    train = np.random.default_rng(0).permutation(len(y))[:3341]
    X, y = X[train], y[train]
    A = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(y))])
    b = (y - y.mean()) / y.std()
    w = np.linalg.solve(A.T @ A / len(y) + 1e-3 * np.eye(9), A.T @ b / len(y))
    loss = np.square(A @ w - b).mean() / 2 + 1e-3 * (w @ w) / 2
    assert loss == pytest.approx(0.2308734630, abs=1e-9)


def test_fashion14_has_ten_classes_of_pictures_in_both_parts() -> None:
    arrays = data.load("fashion14")
    for part, fewest in (("train", 500), ("test", 70)):
        assert np.bincount(arrays[f"y_{part}"], minlength=10).min() >= fewest
        assert arrays[f"X_{part}"].max() >= 250


def test_shakespeare_is_text_with_73_different_characters() -> None:
    text = bytes(data.load("shakespeare")["text"]).decode()
    assert len(text) == 1_115_000
    assert len(set(text)) == 73
    assert text.startswith(" A Midsummer Night's Dream\n\n ACT I\n\n SCENE I. Athens.")


def test_importing_the_data_imports_nothing_heavy() -> None:
    code = (
        "import sys, distest.data\n"
        "heavy = {'scipy', 'numba', 'mpi4py', 'pyarrow', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parents[1], timeout=60, check=False)
    assert run.returncode == 0
