"""Where theory knows better: sentences for who trains with parts that work against each other."""

import math

from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.state import State

DENSE = 32  # bits of a coordinate that is not compressed
SIGNAL = 2.0


def check_feedback(compressor: Compressor, d: int) -> str | None:
    """A warning where memories may grow without end, since the error of a message may be larger than the vector is.

    Raises UsageError where they do for sure, whatever the gradients are.
    """
    return check_contraction(compressor, d, "error feedback", "the memories", "feedback=false")


def check_contraction(compressor: Compressor, d: int, who: str, what: str, instead: str) -> str | None:
    """The same for anybody who keeps what messages leave out. what: may grow. instead: to try, for the sentences."""
    least, most = compressor.least_distortion(d), compressor.distortion(d)
    if least >= 1:
        raise UsageError(
            f"{who} needs a compressor that leaves out less than all, and this one errs by {least:.3g} times "
            f"the squared length of every vector; use more bits or coordinates, or {instead}"
        )
    if 1 <= most < math.inf:
        return (
            f"{who} around a compressor that may err by {most:.3g} times the squared length of a vector: "
            f"where it does err by 1 or more {what} may grow without end; use more bits, smaller buckets, or "
            f"{instead}"
        )
    return None


def check_exact(who: str, exchange: Exchange) -> None:
    """Raises UsageError where means are rounded once more and would be added up over many steps."""
    if not exchange.exact:
        raise UsageError(
            f"{who} adds up means over all steps, and those of this exchange are rounded once more, so that "
            "errors would add up too; use all_gather, or parameter_server with its usual downlink"
        )


def variance(who: str, compressor: Compressor, d: int) -> float:
    """omega: the bound on E |C(x) - x|^2 / |x|^2 of a compressor that has to be right on average; 0 for the identity.

    Raises UsageError where it is not, or no bound is known.
    """
    if compressor == Identity():
        return 0.0
    if not compressor.unbiased or compressor.distortion(d) == math.inf:
        raise UsageError(
            f"{who} needs a compressor that is right on average and whose error is bounded, such as random_k, qsgd, "
            "nuqsgd or natural; for others there are ef21 and clag"
        )
    return compressor.distortion(d)


def check_unbiased(who: str, compressor: Compressor, exchange: Exchange, d: int, workers: int) -> None:
    """Raises UsageError for parts that do not fit each other, or whose errors would add up over many steps."""
    compressor.check(d)
    exchange.check(compressor, d, workers)
    check_exact(who, exchange)
    variance(who, compressor, d)


def check_gather(state: State, exchange: Exchange, link: Link, n_bits: int, other: str) -> None:
    """Warn where an all-gather of codes loads each link more than a ring all-reduce of the vectors themselves would.

    n_bits: of all messages of this step. A rank sends (W-1)/W of them by the one, 2 (W-1)/W 32 d by the other, so the
    codes have lost from W b > 64 on. other: the exchange to try instead.
    """
    b = n_bits / (link.workers * state.x.size)
    if isinstance(exchange, AllGather) and b < DENSE and link.workers * b > 2 * DENSE:
        state.warn(
            "all_gather",
            f"all_gather of {b:.3g} bits a coordinate from {link.workers} workers loads each link more than a ring "
            f"all-reduce in single precision would, as it does for more than 64 / b = {2 * DENSE / b:.3g} workers; try "
            f"exchange={other}",
        )


def check_sketch(state: State, signal: float) -> None:
    """Warn where the errors of a sketch are not small beside the coordinates it has to find.

    signal: the smallest coordinate that is followed over the error of what the sketch says of those that are. From 2
    on three quarters of the k largest and more are found, for Gaussian, t3, lognormal and Zipf vectors (tests/sgd).
    """
    if signal < SIGNAL:
        state.warn(
            "sketch",
            f"at step {state.step} the smallest coordinate that is followed is {signal:.3g} times the error of what "
            f"the sketch says of such, and below {SIGNAL:g} it misses many of the largest; try more columns or "
            "candidates, or a smaller density",
        )
