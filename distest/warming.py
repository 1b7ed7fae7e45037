"""Warming: compile every kernel once, with the types that real runs use, so that no run has to.

Nothing is listed by hand that a folder can tell: the protocols come from the catalog, each with every value of its
named options, and `uncompiled` compares with the files of `kernels/jit`, so a kernel that nothing here reaches shows.
"""

import importlib
import itertools
import pkgutil
import time
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np

from distest import catalog, coins
from distest.bits import BitReader, Messages
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.huffman import Huffman
from distest.errors import UsageError
from distest.kernels import bitpack, largest, planes, rans
from distest.kernels._lazy import SMALL
from distest.learning import sampling
from distest.learning.fitting import merging
from distest.learning.protocol import Protocol
from distest.learning.run import learn, replay
from distest.learning.task import Task
from distest.sgd.blend import Blend
from distest.sgd.compressor import Compressor
from distest.sgd.sketch import count_sketch
from distest.wire.channel import Channel
from distest.wire.transport import Solo

BITS = 2
SIZES = {"support": 2, "pieces": 2}  # options that have no default


def variants(task: Task, bits: int = BITS) -> Iterator[tuple[dict[str, Any], Protocol[Any]]]:
    """Every protocol of the catalog that fits a task, with its spec, once for each way to set its named options.

    Where `bits` are too few for a protocol it gets as many as a sample has.
    """
    for name in catalog.names("protocol"):
        yield from list(_variants(name, task, bits)) or _variants(name, task, (task.n - 1).bit_length())


def _variants(name: str, task: Task, bits: int) -> Iterator[tuple[dict[str, Any], Protocol[Any]]]:
    hints = typing.get_type_hints(catalog.find("protocol", name))
    choices: dict[str, tuple[Any, ...]] = {}
    for key in catalog.options("protocol", name):
        if key == "bits":
            choices[key] = (bits,)
        elif key in SIZES:
            choices[key] = (SIZES[key],)
        elif hints[key] is bool:
            choices[key] = (True, False)
        elif typing.get_origin(hints[key]) is typing.Literal:
            choices[key] = typing.get_args(hints[key])
    for chosen in itertools.product(*choices.values()):
        spec = {"name": name, **dict(zip(choices, chosen, strict=True))}
        try:
            yield spec, catalog.build("protocol", spec, task=task)
        except UsageError:  # not for this task, or not with these options together
            continue


def warm() -> str:
    """Compile all kernels, or load them from the cache; a sentence about it."""
    begin = time.perf_counter()
    importlib.import_module("distest.kernels.jit._jit")  # from here on the small inputs take the kernels too
    _protocols()
    _streams()
    _fits()
    _compressors()
    _sparsifiers()
    seconds = time.perf_counter() - begin
    kernels = list(_kernels().values())
    missed = uncompiled()
    more = f"; never used: {', '.join(missed)} (distest/warming.py should use every kernel)" if missed else ""
    return f"{len(kernels) - len(missed)} kernels are compiled ({seconds:.1f} s){more}"


def uncompiled() -> list[str]:
    """Kernels that this process has neither compiled nor loaded, as "file.function"."""
    kernels = _kernels()
    reached = {id(kernel) for kernel in kernels.values() if kernel.signatures}
    while True:  # a kernel that came from the cache brought those it calls with it
        called = {
            id(kernel.py_func.__globals__.get(name))
            for kernel in kernels.values()
            if id(kernel) in reached
            for name in kernel.py_func.__code__.co_names
        }
        if called <= reached:
            return [name for name, kernel in kernels.items() if id(kernel) not in reached]
        reached |= called


def _kernels() -> dict[str, Any]:
    """All compiled functions of `kernels/jit`, by file and name."""
    folder = importlib.import_module("distest.kernels.jit")
    found = {}
    for file in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{file.name}")
        for name, thing in vars(module).items():
            if hasattr(thing, "py_func") and thing.py_func.__module__ == module.__name__:
                found[f"{file.name}.{name}"] = thing
    return found


def _protocols() -> None:
    """Every protocol once, and its transcript once more."""
    key, data = coins.from_seed(0)
    law = np.arange(16, 0, -1) / 136
    for task in (Task(16, 64), Task(16, 64, 3)):
        draw = sampling.independent(law, task.s, data).draw
        for _, protocol in variants(task):
            outcome = learn(protocol, draw, Channel(task.m, Solo(), protocol.model, keep_board=True), key)
            assert outcome is not None  # one process hosts the referee
            assert outcome.board is not None
            replay(protocol, outcome.board, key.public)


def compressors() -> Iterator[Compressor]:
    """Every compressor of the catalog, once for each way to set its named options."""
    for name in catalog.names("compressor"):
        hints = typing.get_type_hints(catalog.find("compressor", name))
        choices: dict[str, tuple[Any, ...]] = {}
        for key in catalog.options("compressor", name):
            if key == "bits":
                choices[key] = (BITS, 4)
            elif hints[key] is bool:
                choices[key] = (True, False)
            elif typing.get_origin(hints[key]) is typing.Literal:
                choices[key] = typing.get_args(hints[key])
        for chosen in itertools.product(*choices.values()):
            try:
                yield catalog.build("compressor", {"name": name, **dict(zip(choices, chosen, strict=True))})
            except UsageError:  # not with these options together
                continue


def _compressors() -> None:
    """Every compressor there and back, alone and behind a message that ends within a byte, and for lazy workers."""
    key, _ = coins.from_seed(0)
    x = np.sin(np.arange(1100, dtype=np.float32))
    flag = Messages.of_symbols(np.ones(1, np.uint8), 3)
    whole = catalog.build("compressor", {"name": "qsgd", "bits": 4, "bucket": planes.BLOCK})  # buckets of whole blocks
    for compressor in (*compressors(), whole):
        message = compressor.encode(x, 1, key)
        both = Messages.join([flag, message])
        compressor.decode(BitReader(message.data, message.n_bits), x.size, 1, key.public)
        compressor.add(BitReader(both.data, both.n_bits, flag.n_bits), x.size, 1, key.public, x.copy(), 0.5)
        blend = Blend(x, 0.5, lambda size: np.empty(size, np.float32))
        blend.read(compressor, BitReader(message.data, message.n_bits), 1, key.public)
        compressor.encode_blend(blend, 1, key)
        compressor.news([x, x], np.zeros((2, x.size), np.float32), range(2), key)
    blocks = np.zeros(64 * 3 + bitpack.SPARE, np.uint8)
    planes.pack(np.ones(planes.BLOCK, np.uint8), 3, blocks)
    planes.unpack(blocks, 3, planes.BLOCK)


def _sparsifiers() -> None:
    """The largest of a long vector, on both of its roads, and sketches of few and of the usual number of rows."""
    x = np.sin(np.arange(SMALL, dtype=np.float32))
    largest.largest(x, 10)
    x[:1300:2] = 2  # the sample sees all of them, so that its bound is too high
    largest.largest(x, 1000)
    key, _ = coins.from_seed(0)
    for rows in (3, 5):
        sketch = count_sketch(1000, rows, 10, key.public)
        sketch.query(sketch.insert(np.arange(1000)))


def _fits() -> None:
    """What the referee fits, from a few samples."""
    cells, masses = merging.of_samples(np.arange(0, 64, 3), np.arange(1, 23), 64)
    for fit in (merging.l1, merging.l2):
        fit(cells, masses, 1)


def _streams() -> None:
    """Codes in long streams, with and without own tables, and rANS; symbols of any width; messages out of step."""
    symbols = 1 + np.arange(SMALL).reshape(-1, 2) % 7
    for code in (EliasGamma(), Huffman.from_weights(1 << np.arange(8))):
        for packed in (code.pack(symbols), code.encode(symbols[:8]).pack()):
            m = packed.count
            code.decode(BitReader(packed.data, packed.n_bits), (m, 2))
            code.decode_small(BitReader(packed.data, packed.n_bits), (m, 2))
    for width in range(1, 9):
        flags = Messages.of_symbols(np.arange(64, dtype=np.uint8) % 2, width)
        BitReader(flags.data, flags.n_bits).symbols(64, width)
    few = EliasGamma().encode(symbols[:1]).pack()
    joined = Messages.join([few, few, few])
    BitReader(joined.data, joined.n_bits).fixed(1, 3)
    halves = rans.model(np.array([[rans.SLOTS // 2] * 2]))
    stream, n_bits = rans.write(np.zeros(rans.LONGEST, np.uint8), halves)
    rans.read(stream, 0, n_bits, rans.LONGEST, halves)
