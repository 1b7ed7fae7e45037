"""The data that travel with distest: small real sets, read without a network.

Every set is one .npz file of plain arrays beside this module, rebuilt by `scripts/make_data`; SHA256SUMS
holds the hashes and SOURCES.md says where each set comes from and under which licence.

    departures   counts (1440,) int64
    delays       counts (1345,) int64, offset () int64: counts[0] belongs to the value `offset`
    ages         counts (74,) int64, offset () int64
    life_table   survivors (120,) int64, deaths (120,) int64
    words        counts (82834,) int64, falling
    babynames    counts (97310,) int64, falling
    abalone      X (4177, 8) float64, y (4177,) float64
    ionosphere   X (351, 34) float64, y (351,) uint8 in {0, 1}
    a9a          X (32561, 123) uint8 in {0, 1}, y (32561,) uint8 in {0, 1}
    fashion14    X_train (6000, 196), y_train (6000,), X_test (1000, 196), y_test (1000,), all uint8
    shakespeare  text (1115128,) uint8: UTF-8 bytes, 1,115,000 characters
"""

import io
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["load", "names"]


def names() -> list[str]:
    """The names of the sets there are, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".npz") for name in found if name.endswith(".npz"))


def load(name: str) -> dict[str, NDArray[Any]]:
    """Read one set into memory as fresh arrays, named and shaped as the list above says.

    The columns of `a9a` are stored as bits and come back as one byte each. ValueError for an unknown name.
    """
    known = names()
    if name not in known:
        raise ValueError(f"no data set {name!r}; known: {', '.join(known)}")
    data = files(__name__).joinpath(f"{name}.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as box:
        arrays: dict[str, NDArray[Any]] = {key: box[key] for key in box.files}
    if "X_bits" in arrays:
        arrays["X"] = np.unpackbits(arrays.pop("X_bits"), axis=1, count=int(arrays.pop("columns")))
    return arrays
