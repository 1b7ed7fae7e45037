"""Runs that reports are made of: small, real, made once."""

import importlib.util
import os
from pathlib import Path

import pytest

from distest.cli.main import run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the libraries of a page there is nothing to test, except in CI."""
    if "CI" in os.environ or all(importlib.util.find_spec(name) for name in ("jinja2", "plotly", "scipy")):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no jinja2, plotly or scipy: pip install 'distest[report]'"))


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over m and b with repeats, and boards."""
    folder = tmp_path_factory.mktemp("learned")
    spec = folder / "spec.toml"
    spec.write_text(
        'protocols = ["grouping", "balanced_hash"]\nn = 8\ndistribution = "zipf:exponent=1.2"\nrepeats = 3\n'
        '[[grid]]\nm = [200, 400, 800]\n[[grid]]\n"protocol.bits" = [1, 2]\n'
    )
    out = folder / "out"
    run(["learn", str(spec), "--out", str(out), "--no-figures"])
    more = "--protocol full_sample --n 8 --m 800 --distribution zipf:exponent=1.2"
    run(["learn", *more.split(), "--no-figures", "--out", str(out)])
    return out


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three methods on a small convex loss, with series and boards."""
    out = tmp_path_factory.mktemp("trained") / "out"
    words = (
        "--problem least_squares --method mean --method qsgd --method local_top_k --steps 20 --evaluate 4 --repeats 3"
    )
    run(["train", *words.split(), "--evaluate", "4", "--boards", "--out", str(out)])
    return out
