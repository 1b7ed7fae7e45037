"""Gossip: training without a server; each worker has a model of its own and talks to its neighbours on a graph."""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import DivergedError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Sum
from distest.sgd.graph import Graph, Network, network
from distest.sgd.graphs.ring import Ring
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State

_WHO = "a model and a step at every worker"
_PLAIN = Identity()


class Nodes:
    """One step of the workers that live here, and what is known here of them and of their neighbours.

    rate: the step size. y: what everybody who hears a worker believes its model to be, by worker. x: models of workers
    that live here, where a method tells these from y. spoke: who has said something. `estimate` of state.near holds y,
    `x` of state.own x.
    """

    def __init__(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, net: Network):
        """oracle: None in a replay, where nobody speaks."""
        self._state, self._oracle, self._net = state, oracle, net
        self.rate = rule.plain(state.step, _WHO)
        self.spoke: list[int] = []
        self.x = state.own.setdefault("x", {})
        kept = state.near.get("estimate", {})
        self.y = {j: kept[j] if j in kept else state.x.copy() for j in net.known(link.channel.hosted)}
        state.near["estimate"] = self.y

    def own(self, worker: int) -> Vector:
        """The model of a worker that lives here, of which y tells nothing."""
        return self.x.get(worker, self._state.x)

    def step(self, worker: int, at: Vector) -> Vector:
        """Step size times the gradient of a worker that lives here."""
        assert self._oracle is not None  # somebody speaks
        return self.rate * self._oracle.gradient(worker, at, self._state.step)

    def pull(self, worker: int) -> Vector:
        """The sum over j of M_ij (y_j - y_i), which draws a worker i to its neighbours: M y = y + pull, and so workers
        who agree already stay where they are to the last bit."""
        mine, total = self.y[worker], np.zeros(self._state.x.size, np.float32)
        for other, weight in self._net.near[worker]:
            total += weight * (self.y[other] - mine)
        return total


@dataclass(frozen=True)
class Gossip(Method):
    """What the methods of this kind share. In a step each worker asks for a gradient and writes one message, which all
    its neighbours read, and every edge is charged for; all models are equal at the start.

    Nobody has the model, the mean of the workers' models, so what is evaluated on the way is gathered off the books: it
    costs nothing and steers nothing. After the last step each worker tells the server its model in single precision,
    32 d bits in the books, and the mean of these is the model of the record.

    graph: who hears whom, and the weights.
    """

    graph: Graph = field(default_factory=Ring)

    @property
    def code(self) -> Compressor:
        """What messages are coded by."""
        return _PLAIN

    @abstractmethod
    def say(self, nodes: Nodes, worker: int, t: int) -> Vector:
        """What a worker that lives here codes in step t = 1, 2, ..."""

    @abstractmethod
    def hear(self, y: Vector, reader: BitReader, worker: int, t: int, coins: PublicCoins) -> None:
        """Bring what is believed of a worker up to date with its message."""

    def settle(self, nodes: Nodes) -> None:
        """What the workers who spoke do once they have heard each other."""
        return

    def check(self, problem: Problem, workers: int) -> None:
        network(self.graph, workers)
        self.code.check(problem.d)

    def check_rule(self, rule: Rule) -> None:
        rule.plain(0, _WHO)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        net = network(self.graph, link.workers)
        nodes = Nodes(state, rule, oracle, link, net)
        here, t = coins.fold("step", state.step), state.step + 1

        def encode(worker: int) -> Messages:
            z = _finite(self.say(nodes, worker, t), worker, state)
            nodes.spoke.append(worker)
            on_paper = self.code.paper_bits(z)
            state.on_paper(None if on_paper is None else len(net.near[worker]) * on_paper)
            return self.code.encode(z, worker, here)

        def decode(worker: int, reader: BitReader) -> None:
            self.hear(nodes.y[worker], reader, worker, t, here.public)

        link.neighbours(net.edges, encode, decode)
        self.settle(nodes)
        state.step = t

    def seen(self, state: State, link: Link) -> Vector:
        rows = link.channel.watched([_model(state, worker) for worker in link.channel.hosted])
        if rows is None:
            return state.x
        total = Sum(link)
        for worker, x in enumerate(rows):
            total.put(worker, x)
        return total.mean()

    def finish(self, state: State, link: Link, coins: Coins) -> None:
        total, here = Sum(link), coins.fold("finish")
        link.up(
            lambda worker: _PLAIN.encode(_finite(_model(state, worker), worker, state), worker, here),
            lambda worker, reader: total.read(worker, _PLAIN, reader, state.x.size, here.public),
        )
        if link.hosts_server:
            state.x = total.mean()


def _model(state: State, worker: int) -> Vector:
    """The model of a worker that lives here."""
    own = state.own.get("x", {})
    return own[worker] if worker in own else state.near.get("estimate", {}).get(worker, state.x)


def _finite(z: Vector, worker: int, state: State) -> Vector:
    if not np.isfinite(z).all():
        raise DivergedError(
            f"the model of worker {worker} at step {state.step} has coordinates that are no finite numbers; try a "
            "smaller --rate, or a code with a smaller error"
        )
    return z
