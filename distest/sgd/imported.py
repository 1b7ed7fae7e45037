"""Imported: a problem of the user's own, a class found by its import path, as one of ours.

All it needs is `gradient(x, rows)`, the gradient of the mean loss over some training rows, `loss(x)`, that over all of
them, `rows`, their number, and `d`, the number of coordinates of x, or `tensors`, pairs of a name and a shape whose
stretches make up x. It may have `start()`, the first x (zeros without it), `evaluate(x)`, figures of merit by name,
`labels()`, an integer for each row, and `optimum()`, the least loss. x and gradients are float32 (d,), rows int64.
Gradients of the same x and rows have to have the same bits on every rank.
"""

import importlib
import inspect
import math
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.errors import UsageError, unknown
from distest.sgd.problem import Problem, Rows, Tensor, Vector

_NEEDED = "a problem has gradient(x, rows), loss(x), rows, and d or tensors"


@dataclass(frozen=True, eq=False)
class Imported(Problem):
    """What `load` makes. path: "module:Class". options: what it was made with, plain values. inner: the user's."""

    path: str
    options: dict[str, Any]
    inner: Any

    def describe(self) -> dict[str, Any]:
        """The spec that makes it again, where the class can be imported."""
        return {"name": self.path, **self.options}

    @property
    def convex(self) -> bool:  # type: ignore[override]  # the user's to say
        return bool(getattr(self.inner, "convex", hasattr(self.inner, "optimum")))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        if hasattr(self.inner, "tensors"):
            return tuple(Tensor(*_pair(self.path, tensor)) for tensor in self.inner.tensors)
        return (Tensor("x", (int(self.inner.d),)),)

    @property
    def rows(self) -> int:
        return int(self.inner.rows)

    def start(self, coins: PublicCoins) -> Vector:
        if isinstance(self.inner, Problem):
            return self.inner.start(coins)
        if not hasattr(self.inner, "start"):
            return np.zeros(self.d, np.float32)
        return self._vector("start", self.inner.start())

    def gradient(self, x: Vector, rows: Rows) -> Vector:
        return self._vector("gradient", self.inner.gradient(x, rows))

    def loss(self, x: Vector) -> float:
        return float(self.inner.loss(x))

    def evaluate(self, x: Vector) -> dict[str, float]:
        found = self.inner.evaluate(x) if hasattr(self.inner, "evaluate") else {}
        return {str(name): float(value) for name, value in found.items()}

    def labels(self) -> NDArray[np.int64] | None:
        found = self.inner.labels() if hasattr(self.inner, "labels") else None
        if found is not None and np.shape(found) != (self.rows,):
            raise UsageError(f"{self.path}.labels() gives shape {np.shape(found)}; there are {self.rows} rows")
        return None if found is None else np.asarray(found, np.int64)

    def optimum(self) -> float | None:
        found = self.inner.optimum() if hasattr(self.inner, "optimum") else None
        return None if found is None else float(found)

    def _vector(self, what: str, given: Any) -> Vector:
        """float32 (d,) of what the user's function gives, a copy: it may fill the same array again."""
        found = np.asarray(given)
        if found.shape != (self.d,) or found.dtype.kind not in "fiu":
            raise UsageError(f"{self.path}.{what} gives {found.dtype} {found.shape}, it has to be float32 ({self.d},)")
        with np.errstate(over="ignore"):  # who asked sees that a coordinate is infinite
            return np.array(found, np.float32, order="C")


def load(path: str, options: dict[str, Any]) -> Imported:
    """The problem "module:Class", made with these options. Raises UsageError, one sentence, where that cannot be."""
    made = Imported(path, options, _called(path, _found(path), _fitting(path, _found(path), options)))
    for name in ("gradient", "loss"):
        if not callable(getattr(made.inner, name, None)):
            raise UsageError(f"{path} has no method {name!r}; {_NEEDED}")
    if not hasattr(made.inner, "tensors") and not hasattr(made.inner, "d"):
        raise UsageError(f"{path} has neither 'd' nor 'tensors'; {_NEEDED}")
    for name in ("rows", "d"):
        value = getattr(made.inner, name, None)
        if name == "d" and hasattr(made.inner, "tensors"):
            value = made.d
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise UsageError(f"{path} has {name} = {value!r}, it has to be an integer of at least 1; {_NEEDED}")
    return made


def _found(path: str) -> type[Any]:
    """The class of an import path."""
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"there is no module {module_name!r} for {path}: not installed, nor in this folder"
            ) from None
        raise UsageError(f"the module {module_name!r} of {path} needs {error.name!r}, which is not installed") from None
    except Exception as error:  # what a user's module does on import is its own
        raise UsageError(f"the module {module_name!r} of {path} fails: {type(error).__name__}: {error}") from error
    classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
    if name not in classes:
        raise UsageError(unknown(f"class of {module_name}", name, classes))
    return typing.cast(type[Any], getattr(module, name))


def _fitting(path: str, cls: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options as the class wants them, by its signature and annotations."""
    try:
        parameters = inspect.signature(cls).parameters
        hints = typing.get_type_hints(cls) | typing.get_type_hints(cls.__init__)
    except (TypeError, ValueError, NameError):
        return options
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return options
    for name in options:
        if name not in parameters:
            raise UsageError(unknown(f"option of {path}", name, parameters) if parameters else f"{path} has no options")
    for name, parameter in parameters.items():
        if (
            parameter.default is parameter.empty
            and parameter.kind is not parameter.VAR_POSITIONAL
            and name not in options
        ):
            raise UsageError(f"{path} needs option {name!r}")
    try:
        return {key: msgspec.convert(value, hints[key]) if key in hints else value for key, value in options.items()}
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"an option of {path} does not fit: {error}") from None


def _called(path: str, cls: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return cls(**options)
    except Exception as error:  # what a user's class does is its own
        raise UsageError(f"{path} cannot be made with {options}: {type(error).__name__}: {error}") from error


def _pair(path: str, tensor: Any) -> tuple[str, tuple[int, ...]]:
    """Name and shape of a tensor."""
    try:
        name, shape = (tensor.name, tensor.shape) if hasattr(tensor, "shape") else tensor
        sizes = tuple(int(size) for size in shape)
    except (TypeError, ValueError):
        raise UsageError(f"the tensors of {path} are pairs of a name and a shape, got {tensor!r}") from None
    if math.prod(sizes) < 1:
        raise UsageError(f"the tensor {name!r} of {path} has no coordinates: shape {sizes}")
    return str(name), sizes
