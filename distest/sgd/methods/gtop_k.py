"""gTop-k: the largest coordinates of all workers together, nearly, merged along a tree."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.tree import Tree
from distest.sgd.methods.local_top_k import LocalTopK


@dataclass(frozen=True)
class GtopK(LocalTopK):
    """Local top-k whose messages are merged two by two, each time cut down to k coordinates again, so that all step
    along the same k: see the exchange `tree`, also for who remembers what a merge drops.

    compressor, feedback, layers, small: as in `mean`. exchange: how the mean is made.

    Source: Shi, Wang, Zhao, Wang, Huang, Chu, "A distributed synchronous SGD algorithm with global top-k sparsification
    for low bandwidth networks" (2019).
    """

    exchange: Exchange = field(default_factory=Tree)
    source: ClassVar[str] = "Shi et al. 2019"
