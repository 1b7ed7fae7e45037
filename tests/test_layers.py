"""Who may import whom, as a table; the same rules in words are in ARCHITECTURE.md. A fault names its line."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("distest", "protocols", "analysis")

GROUND = {"distest.errors"}
BITS = GROUND | {"distest.kernels", "distest.bits", "distest.watch"}
CODING = BITS | {"distest.codecs"}
LEARNING = CODING | {"distest.coins", "distest.wire", "distest.data", "analysis.bounds"}
RUNNING = LEARNING | {"distest.learning", "distest.catalog", "distest.candidates", "distest.spec", "distest.records"}

# part -> what it may import beside itself; the longest name that fits a module is its part. So a contract that has
# an entry of its own may not import what keeps it.
MAY: dict[str, set[str]] = {
    "distest.errors": set(),
    "distest.reading": set(),
    "distest.records": {"distest.reading"},
    "distest.passage": set(),
    "distest.data": set(),
    "distest.kernels": set(),
    "distest.bits": GROUND | {"distest.kernels"},
    "distest.watch": GROUND | {"distest.bits"},
    "distest.coins": GROUND | {"distest.kernels"},
    "distest.codecs": BITS,
    "distest.codecs.base": BITS,
    "distest.wire": BITS,
    "analysis.bounds": set(),
    "distest.learning": LEARNING,
    "distest.learning.protocol": LEARNING | {"distest.learning." + f for f in ("norms", "servers", "task")},
    "distest.learning.distributions.base": LEARNING | {"distest.learning.norms"},
    "distest.sgd": LEARNING,
    "distest.sgd.problem": LEARNING,
    "distest.catalog": GROUND,
    "distest.candidates": GROUND | {"distest.catalog", "distest.learning"},
    "distest.promises": GROUND | {"distest.catalog", "distest.candidates", "distest.learning", "analysis.bounds"},
    "distest.stated": GROUND | {"distest.candidates", "distest.promises", "distest.learning", "analysis.bounds"},
    "distest.planning": RUNNING | {"distest.promises"},
    "distest.planned": RUNNING | {"distest.experiment", "distest.planning"},
    "distest.spec": GROUND | {"distest.catalog", "distest.candidates", "distest.learning"},
    "distest.experiment": RUNNING,
    "distest.train_spec": GROUND | {"distest.catalog", "distest.spec"},
    "distest.training": RUNNING | {"distest.sgd", "distest.train_spec"},
    "distest.toml": GROUND,
    "distest.tuning": RUNNING
    | {"distest.sgd", "distest.train_spec", "distest.training", "distest.toml", "distest.launch", "distest.rank"}
    | {"analysis.statistics"},
    "distest.coding_loss": RUNNING | {"distest.sgd"},
    "distest.sweep": RUNNING
    | {"distest." + f for f in ("sgd.clock", "train_spec", "experiment", "training", "launch", "toml")}
    | {"analysis.statistics"},
    "distest.network": RUNNING | {"distest.sgd", "distest.coding_loss"},
    "distest.rehearsal": RUNNING | {"distest.sgd", "distest.coding_loss", "distest.network"},
    "distest.timing": RUNNING | {"distest.sgd", "distest.coding_loss", "distest.network", "distest.rehearsal"},
    "distest.audit": RUNNING | {"distest.experiment", "distest.training"},
    "distest.showing": RUNNING | {"distest.audit", "distest.training"},
    "distest.runs": GROUND | {"distest.records", "distest.audit", "analysis"},
    "distest.api": RUNNING
    | {"distest." + f for f in ("runs", "stated", "experiment", "training", "train_spec", "launch", "sweep")},
    "distest.rank": GROUND | {"distest.wire.turn"},
    "distest.launch": GROUND | {"distest.rank", "distest.passage"},
    "distest.warming": RUNNING | {"distest.sgd"},
    "distest.doctor": RUNNING | {"distest.rank", "distest.launch", "distest.warming"},
    "distest.cli": {"distest", "analysis"},
    "distest.__main__": GROUND | {"distest.cli", "distest.launch", "distest.rank", "distest.records"},
    "distest": {"distest.api"},
    "protocols": LEARNING - {"distest.data"} | {"distest.learning"},
    "analysis": {"distest.records", "distest.toml"},
}
ALONE = "protocols"  # the files of this folder do not import each other
LAZY = ("distest.wire.mpi", "distest.kernels.jit")  # heavy: imported inside functions only, so that a start is light
LAZY_LIBRARIES = ("scipy",)  # heavy and optional: the same
SEEDED = ("distest.sgd.tables",)  # may use numpy's generators: data sets that others define by default_rng(seed)
LIBRARIES: dict[str, tuple[str, ...]] = {
    "numpy": PACKAGES,
    "msgspec": PACKAGES,
    "mpi4py": ("distest.wire.mpi",),
    "numba": ("distest.kernels.jit",),
    "llvmlite": ("distest.kernels.jit",),
    "matplotlib": ("analysis.figures", "distest.runs"),
    "pyarrow": ("analysis.exports", "distest.learning.user_file", "distest.runs"),
    "pandas": ("distest.runs", "distest.stated"),
    "jinja2": ("analysis.report.page",),
    "markupsafe": ("analysis.report.page",),
    "plotly": ("analysis.report.page",),
    "scipy": ("analysis.intervals", "analysis.statistics", "distest.sgd.optima"),
    "click": ("distest.cli", "distest.__main__"),
    "rich": ("distest.cli",),
}
NEVER = {"pickle", "marshal", "shelve", "random", "imp"}  # no code in data, no generator with a state
BY_STRING = ("distest.catalog", "distest.kernels._lazy", "distest.cli.main", "distest.warming", "distest.sgd.imported")


def inside(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def part_of(module: str) -> str | None:
    """The part of the table that a module belongs to; "distest" is the package's __init__ alone."""
    fits = [part for part in MAY if (inside(module, part) if part != "distest" else module == part)]
    return max(fits, key=len, default=None)


def imports(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Line, full name and whether it happens at once, of everything a file imports."""
    later = {id(node) for def_ in ast.walk(tree) if isinstance(def_, FUNCTIONS) for node in ast.walk(def_)}
    later |= {id(node) for if_ in ast.walk(tree) if typing_only(if_) for node in ast.walk(if_)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, id(node) not in later
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}", id(node) not in later


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def faults(module: str, source: str) -> list[str]:
    """What a file does against the rules, a line each, with the place."""
    found = []
    tree = ast.parse(source)
    part = part_of(module)
    if part is None:
        return [f"{module}:1: has no place in the table of tests/test_layers.py"]
    own = module if part == ALONE else part
    for line, name, at_once in imports(tree):
        top = name.split(".")[0]
        here = f"{module}:{line}: imports {name}"
        if top in PACKAGES:
            if not any(inside(name, target) for target in (*MAY[part], own)):
                found.append(f"{here}; {part} may import {', '.join(sorted(MAY[part])) or 'nothing of ours'}")
            if at_once and any(inside(name, heavy) and not inside(module, heavy) for heavy in LAZY):
                found.append(f"{here} at once; it is heavy, import it where it is needed")
        elif top in NEVER or top == "":
            found.append(f"{here}; nobody may")
        elif top not in sys.stdlib_module_names:
            places = LIBRARIES.get(top, ())
            if not any(inside(module, place) for place in places):
                found.append(f"{here}; {' and '.join(places) or 'nobody'} may")
            elif at_once and top in LAZY_LIBRARIES:
                found.append(f"{here} at once; it is heavy, import it where it is needed")
    return found + [f"{module}:{line}: {what}" for line, what in deeds(module, tree)]


def deeds(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls and names that are forbidden: code made of strings, numpy's generators, imports by string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            yield node.lineno, f"{node.func.id}: code is not made of strings"
        if not isinstance(node, ast.Attribute | ast.Name):
            continue
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        if ast.unparse(node) in ("np.random", "numpy.random") and module not in SEEDED:
            yield node.lineno, "numpy.random: randomness comes from distest.coins"
        if name in ("import_module", "__import__") and module not in BY_STRING:
            yield node.lineno, f"{name}: only {', '.join(BY_STRING)} import by string"


def modules() -> list[tuple[str, Path]]:
    """All modules of the three packages."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append((name, path))
    return found


def test_imports_point_down() -> None:
    found = modules()
    assert len(found) > 80  # the table is applied to something
    assert [fault for name, path in found for fault in faults(name, path.read_text(encoding="utf-8"))] == []


def test_scripts_use_no_pickle_and_no_code_of_strings() -> None:
    for path in sorted((ROOT / "scripts").rglob("*")):
        if path.suffix == ".py" or (path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env python3")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not {name.split(".")[0] for _, name, _ in imports(tree)} & NEVER, path
            calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert not {call.id for call in calls if isinstance(call, ast.Name)} & {"eval", "exec"}, path


def test_the_table_itself_has_no_cycle() -> None:
    graph = {part: {part_of(target) or target for target in MAY[part]} - {part} for part in MAY}
    del graph["distest.cli"]  # may import everything, and nothing but __main__ may import it
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("distest.kernels") < order.index("distest.wire") < order.index("protocols")
    assert [part for part in MAY if "distest.cli" in MAY[part]] == ["distest.__main__"]


PLANTED = [
    ("distest.kernels.prefix", "from distest.bits import BitReader", "may import nothing of ours"),
    ("distest.wire.channel", "from distest.learning.task import Task", "may import distest.bits"),
    ("distest.wire.channel", "from distest.codecs.fixed import Fixed", "may import distest.bits"),
    ("distest.codecs.base", "from distest.codecs.fixed import Fixed", "may import distest.bits"),
    ("distest.codecs.fixed", "def f() -> None:\n    from distest.wire import board", "may import distest.bits"),
    ("distest.learning.protocol", "from distest.learning.run import learn", "may import analysis.bounds"),
    ("distest.learning.norms", "import distest.cli.tables", "may import analysis.bounds"),
    ("distest.experiment", "from protocols.grouping import Grouping", "may import analysis.bounds"),
    ("protocols.grouping", "from protocols.full_sample import FullSample", "protocols may import"),
    ("protocols.grouping", "from analysis.compare import summary", "protocols may import"),
    ("analysis.bounds.risks", "from distest.learning.norms import l1", "may import nothing of ours"),
    ("analysis.compare", "from distest.experiment import run", "may import distest.records"),
    ("distest.learning.run", "from mpi4py import MPI", "distest.wire.mpi may"),
    ("distest.kernels.prefix", "import numba", "distest.kernels.jit may"),
    ("distest.kernels.prefix", "from distest.kernels.jit import prefix", "it is heavy"),
    ("distest.cli.learn_", "from distest.wire.mpi import Mpi", "it is heavy"),
    ("analysis.compare", "import matplotlib.pyplot as plt", "analysis.figures and distest.runs may"),
    ("distest.learning.run", "import scipy.stats", "analysis.statistics and distest.sgd.optima may"),
    ("distest.sgd.optima", "from scipy.optimize import minimize", "it is heavy"),
    ("distest.learning.run", "import pandas", "distest.runs and distest.stated may"),
    ("distest.sgd.problem", "from distest.sgd.tables import Table", "may import analysis.bounds"),
    ("distest.sgd.problems.mlp", "from distest.learning.norms import l1", "may import analysis.bounds"),
    ("distest.sgd.shards", "import numpy as np\nnp.random.default_rng(0)", "randomness comes from distest.coins"),
    ("distest.records", "import pickle", "nobody may"),
    ("distest.learning.run", "from .task import Task", "nobody may"),
    ("distest.learning.run", "import numpy as np\nnp.random.seed(0)", "randomness comes from distest.coins"),
    ("protocols.grouping", "from random import choice", "nobody may"),
    ("distest.spec", "eval('1 + 1')", "code is not made of strings"),
    ("distest.learning.run", "import importlib\nimportlib.import_module('protocols.grouping')", "import by string"),
    ("distest.somewhere", "import json", "has no place in the table"),
]


@pytest.mark.parametrize(("module", "source", "why"), PLANTED)
def test_a_planted_fault_is_caught_with_its_line(module: str, source: str, why: str) -> None:
    found = faults(module, source)
    last = source.count("\n") + 1
    assert any(fault.startswith(f"{module}:{last}: ") and why in fault for fault in found), found


def test_what_is_allowed_is_not_a_fault() -> None:
    assert faults("protocols.x", "from distest.learning.protocol import Protocol\nimport numpy as np") == []
    assert faults("distest.cli.learn_", "def f() -> None:\n    from distest.wire.mpi import Mpi") == []
    assert faults("distest.sgd.optima", "def f() -> None:\n    from scipy.optimize import minimize") == []
    assert faults("distest.sgd.tables", "import numpy as np\nnp.random.default_rng(0)") == []
    assert faults("distest.kernels.jit.prefix", "from distest.kernels.jit.bitpack import read\nimport numba") == []
