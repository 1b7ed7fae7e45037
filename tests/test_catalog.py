"""The catalog: one public class a file, found by listing, and descriptions that build the thing again."""

import importlib
import inspect
import pkgutil
import re
import typing
from pathlib import Path
from typing import Any

import pytest

import analysis
import distest
import protocols
from distest import catalog
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution
from distest.learning.estimators.base import Estimator
from distest.learning.protocol import Protocol
from distest.learning.task import Family, Loss, Task
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Problem

ROOT = Path(__file__).resolve().parents[1]
KINDS: dict[str, tuple[str, type[Any]]] = {
    "protocol": ("protocols", Protocol),
    "distribution": ("distest.learning.distributions", Distribution),
    "estimator": ("distest.learning.estimators", Estimator),
    "problem": ("distest.sgd.problems", Problem),
    "compressor": ("distest.sgd.compressors", Compressor),
}
FILES = [(kind, name) for kind in KINDS for name in catalog.names(kind)]
TASK = Task(16, 1024)
SEVERAL = Task(16, 1024, s=8)  # for protocols that want several samples per server
PROTOCOLS: list[dict[str, Any]] = [
    {"name": "full_sample"},
    {"name": "full_sample", "code": "block"},
    {"name": "multiset"},
    {"name": "grouping", "bits": 3},
    {"name": "grouping", "bits": 1, "shift": True},
    {"name": "balanced_hash", "bits": 2},
    {"name": "linear_hash", "bits": 4},
    {"name": "linear_hash", "bits": 2, "design": "cycle"},
    {"name": "recursive_hadamard", "bits": 2},
    {"name": "simulate_infer", "bits": 2},
    {"name": "simulate_infer", "bits": 1, "split": True},
    {"name": "golomb_gaps"},
    {"name": "arithmetic_counts", "law": "multiset"},
    {"name": "sparse_hash", "bits": 2, "support": 3},
    {"name": "adaptive_entropy"},
    {"name": "local_refinement", "bits": 2},
    {"name": "monotone_cells", "tau": 0.2, "partition": "birge", "direction": "rising"},
    {"name": "monotone_l2", "eps": 0.1},
    {"name": "uneven_samples"},
    {"name": "haar_wavelet", "lam": 0.25},
    {"name": "tree_localisation", "bits": 2, "support": 3},
    {"name": "one_bit_counts"},
    {"name": "one_bit_adaptive"},
    {"name": "dense_counts", "bits": 4},
    {"name": "block_refinement", "bits": 2},
    {"name": "adaptive_refinement", "bits": 4},
    {"name": "two_stage_histogram", "pieces": 4, "per_cell": 3},
    {"name": "two_stage_histogram_l2", "pieces": 4, "target": 0.001},
    {"name": "rank_sampling", "pieces": 4, "every": 3},
    {"name": "tight_budget", "bits": 4},
]


def task_for(spec: dict[str, Any]) -> Task:
    """A task that the protocol is for."""
    try:
        catalog.build("protocol", spec, task=TASK)
    except UsageError:
        return SEVERAL
    return TASK


def test_the_packages_are_those_of_this_checkout() -> None:
    """Other distributions may ship packages called `protocols` or `analysis`."""
    for package in (distest, protocols, analysis):
        assert package.__file__ is not None
        assert Path(package.__file__).resolve().parent.parent == ROOT, (
            f"{package.__name__} is imported from {package.__file__}, not from {ROOT}: uninstall what put it there"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_the_files_of_the_folder(kind: str) -> None:
    package = importlib.import_module(KINDS[kind][0])
    files = {Path(m.name).name for m in pkgutil.iter_modules(package.__path__)}
    assert set(catalog.names(kind)) == {f for f in files if f != "base" and not f.startswith("_")}
    assert list(catalog.names(kind)) == sorted(catalog.names(kind))
    assert catalog.names(kind)


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_file_has_exactly_one_public_class_and_it_says_what_it_is(kind: str, name: str) -> None:
    folder, contract = KINDS[kind]
    module = importlib.import_module(f"{folder}.{name}")
    public = [
        c
        for n, c in vars(module).items()
        if inspect.isclass(c) and c.__module__ == module.__name__ and not n.startswith("_") and issubclass(c, contract)
    ]
    assert [c.__name__ for c in public] == [catalog.find(kind, name).__name__]
    cls = public[0]
    assert cls.__name__ == "".join(part.capitalize() for part in name.split("_"))
    assert not inspect.isabstract(cls)
    assert module.__doc__
    assert cls.__doc__
    first = cls.__doc__.strip().splitlines()[0]
    assert first.endswith("."), f"{name}: the first line of the docstring is a sentence on one line, got {first!r}"


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_options_are_frozen_plain_fields_that_the_docstring_explains(kind: str, name: str) -> None:
    cls = catalog.find(kind, name)
    assert cls.__dataclass_params__.frozen
    for option in catalog.options(kind, name):
        assert re.search(rf"\b{option}\b", cls.__doc__ or ""), f"{name}: the docstring does not explain {option}"


@pytest.mark.parametrize("name", catalog.names("protocol"))
def test_a_protocol_says_model_coins_problem_and_source(name: str) -> None:
    cls = catalog.find("protocol", name)
    assert cls.model in ("referee", "one-way", "blackboard")
    assert isinstance(cls.source, str)
    assert cls.source
    assert cls.family in typing.get_args(Family)
    assert set(cls.losses) <= set(typing.get_args(Loss))
    assert cls.losses
    built = [catalog.build("protocol", spec, task=task_for(spec)) for spec in PROTOCOLS if spec["name"] == name]
    assert {b.coin_use for b in built} <= {"none", "private", "public"}


def test_the_list_above_has_every_protocol() -> None:
    assert {spec["name"] for spec in PROTOCOLS} == set(catalog.names("protocol"))


@pytest.mark.parametrize("spec", PROTOCOLS, ids=str)
def test_describe_and_build_are_inverses(spec: dict[str, Any]) -> None:
    task = task_for(spec)
    built = catalog.build("protocol", spec, task=task)
    described = catalog.describe(built)
    assert spec.items() <= described.items()
    assert set(described) == {"name", *catalog.options("protocol", spec["name"])}
    again = catalog.build("protocol", described, task=task)
    built = catalog.build("protocol", spec, task=task_for(spec))
    described = catalog.describe(built)
    assert spec.items() <= described.items()
    assert set(described) == {"name", *catalog.options("protocol", spec["name"])}
    again = catalog.build("protocol", described, task=task_for(spec))
    assert again == built
    assert catalog.describe(again) == described


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("protocol", "groping", "grouping"),
        ("protocol", "Grouping", "grouping"),
        ("protocol", "xyzzy", None),
        ("distribution", "unifrom", "uniform"),
    ],
)
def test_an_unknown_name_answers_with_all_known_and_the_nearest(kind: str, name: str, nearest: str | None) -> None:
    for ask in (lambda: catalog.find(kind, name), lambda: catalog.build(kind, {"name": name})):
        with pytest.raises(UsageError, match=f"no {kind} {name!r}") as caught:
            ask()
        said = str(caught.value)
        assert all(known in said for known in catalog.names(kind))
        assert (f"did you mean {nearest!r}?" in said) == (nearest is not None)


@pytest.mark.parametrize("name", ["base", "__init__", "_private", "../learning/run", "os.path", ""])
def test_what_is_no_algorithm_is_unknown(name: str) -> None:
    with pytest.raises(UsageError, match="no protocol"):
        catalog.find("protocol", name)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "grouping", "bit": 3}, r"no option of grouping 'bit' \(did you mean 'bits'\?\); known: bits, shift"),
        ({"name": "grouping", "task": 3, "bits": 1}, "no option of grouping 'task'"),
        ({"name": "grouping", "bits": "three"}, "grouping: option bits='three' does not fit: Expected `int`"),
        ({"name": "grouping", "bits": 2.5}, "option bits=2.5 does not fit"),
        ({"name": "grouping", "bits": True}, "option bits=True does not fit"),
        ({"name": "grouping", "bits": 1, "shift": "yes"}, "option shift='yes' does not fit"),
        ({"name": "full_sample", "code": "morse"}, "option code='morse' does not fit"),
        ({"name": "grouping"}, r"grouping needs option 'bits' \(int\)"),
        ({"bits": 3}, "a protocol needs a name; known: "),
        ({"name": 3}, "a protocol needs a name; known: "),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_one_sentence(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        catalog.build("protocol", spec, task=TASK)
    assert "\n" not in str(caught.value)


def test_a_family_without_options_says_so() -> None:
    with pytest.raises(UsageError, match="uniform has no options"):
        catalog.build("distribution", {"name": "uniform", "exponent": 2})


def test_building_changes_no_spec() -> None:
    spec = {"name": "grouping", "bits": 3}
    catalog.build("protocol", spec, task=TASK)
    assert spec == {"name": "grouping", "bits": 3}
