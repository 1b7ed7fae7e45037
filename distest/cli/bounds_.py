"""distest bounds: what is provable for a problem and what protocols promise; what a compressor loses, and must lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from distest.cli import tables
from distest.cli.completing import names
from distest.cli.examples import examples
from distest.learning.task import Family
from distest.spec import named

if TYPE_CHECKING:
    from distest.coding_loss import Loss


_OF_VECTORS = ("d", "workers", "problem", "batch", "steps", "rate", "draws", "seed")  # go with --compressor alone
_BOTH = ("compressor", "as_json")


@click.command(
    "bounds",
    epilog=examples(
        "bounds --n 64 --m 20000 --bits 3 --loss l2",
        "bounds --compressor hadamard_dither:bits=2 --problem softmax --steps 20",
    ),
)
@click.option("--n", type=int, help="Domain size.")
@click.option("--m", type=int, help="Number of servers.")
@click.option("--s", type=int, default=1, show_default=True, help="Samples per server.")
@click.option("--bits", type=int, help="Hard cap on the bits of a server.")
@click.option("--total-bits", type=float, help="Expected bits of the whole transcript.")
@click.option("--error", type=float, help="Ask the other way round: bits needed for this error (l2: squared).")
@click.option(
    "--loss", type=click.Choice(["l2", "l1", "both"]), default="both", show_default=True, help="Bounds on which error."
)
@click.option(
    "--model",
    type=click.Choice(["blackboard", "SMP"]),
    default="blackboard",
    show_default=True,
    help="What protocols may do: answer each other, or speak once and all at the same time.",
)
@click.option(
    "--family", type=click.Choice(get_args(Family)), default="all", show_default=True, help="Which p there may be."
)
@click.option("--support", type=int, help="Symbols of p (with --family sparse).")
@click.option("--pieces", type=int, help="Pieces of the histograms (with --family histogram).")
@click.option(
    "--compressor",
    help="Of gradients, for example qsgd:bits=4: what it loses, beside what is provable.",
    shell_complete=names("compressor"),
)
@click.option("--d", type=int, help="With --compressor: coordinates of Gaussian vectors.")
@click.option("--problem", help="With --compressor: gradients of a problem, for example softmax, in place of --d.")
@click.option("--workers", type=int, default=1, show_default=True, help="With --compressor: W, whose mean is made.")
@click.option("--batch", type=int, default=32, show_default=True, help="With --problem: rows of a gradient.")
@click.option("--steps", type=int, default=0, show_default=True, help="With --problem: steps of SGD before.")
@click.option("--rate", type=float, default=0.1, show_default=True, help="With --problem: step size of these.")
@click.option("--draws", type=int, default=8, show_default=True, help="With --compressor: vectors measured.")
@click.option("--seed", type=int, default=0, show_default=True, help="With --compressor: of vectors and coins.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(compressor: str | None, as_json: bool, **flags: Any) -> None:
    """Print every bound that applies to a problem, with regime, constants and source.

    With --n and --m, of learning a distribution. Kind "lower": no protocol does better. Kind "risk": what a protocol
    that fits promises for all p of the class, at the options that promise least. An arrow marks the largest lower
    bound and the smallest promise of each loss.

    With --compressor and --d, or --problem, of coding vectors: bits and error measured, and how far they are from what
    is provable at these bits.
    """
    of_vectors = {key: flags.pop(key) for key in _OF_VECTORS}
    context = click.get_current_context()
    given = [key for key in context.params if context.get_parameter_source(key) is ParameterSource.COMMANDLINE]
    here, there = ("--compressor", "--n and --m") if compressor else ("--n and --m", "--compressor")
    for key in given:
        if key not in _BOTH and (key in of_vectors) != bool(compressor):
            raise click.UsageError(f"--{key.replace('_', '-')} goes with {there}, not with {here}")
    if compressor:
        _vectors(compressor, as_json, given, **of_vectors)
        return
    for key in ("n", "m"):
        if flags[key] is None:
            raise click.UsageError(f"--{key} is missing: bounds take --n and --m, or --compressor and --d")
    _distributions(as_json, flags)


def _vectors(
    compressor: str, as_json: bool, given: list[str], d: int | None, problem: str | None, draws: int, **options: Any
) -> None:
    """Measure a compressor, and show its distance from the limits."""
    from distest import catalog, coding_loss
    from distest.cli import running
    from distest.coins import from_seed
    from distest.train_spec import problem_of

    if (d is None) == (problem is None):
        raise click.UsageError("--compressor takes --d, for Gaussian vectors, or --problem, for gradients; one of both")
    for key in ("batch", "steps", "rate") if problem is None else ():
        if key in given:
            raise click.UsageError(f"--{key} goes with --problem, not with --d")
    for key, least in (("batch", 0), ("steps", 0), ("seed", 0), ("workers", 1)):
        if options[key] < least:
            raise click.UsageError(f"--{key} is at least {least}, got {options[key]}")
    running.import_from_here()
    code = catalog.build("compressor", named(compressor))
    workers, seed = options["workers"], options["seed"]
    coins, data = from_seed(seed)
    if problem is None:
        assert d is not None
        vectors, of = coding_loss.gaussian(d, data) if d > 0 else None, "Gaussian vectors"
    else:
        built = catalog.build("problem", problem_of(problem))
        d, of = (
            built.d,
            f"gradients of {problem} after {options['steps']} steps, batches of {options['batch'] or 'all'}",
        )
        vectors = coding_loss.gradients(built, **options)
    loss = coding_loss.measure(code, vectors, d, workers, draws, coins)  # type: ignore[arg-type]  # d is checked there
    label = catalog.label(code)
    if as_json:
        tables.json_lines([{"kind": "measured", "compressor": label, "vectors": of, "seed": seed, **loss.describe()}])
        tables.json_lines([bound.describe() for bound in coding_loss.limits(loss)])
        return
    _show_loss(loss, label, f"{of}, d = {d:,}, {draws} draws, seed {seed}", problem is None)


def _show_loss(loss: Loss, label: str, title: str, normal: bool) -> None:
    from distest import coding_loss

    found = loss.describe()
    error = "vNMSE" if loss.workers == 1 else f"NMSE of the mean of {loss.workers}"
    row = {
        "compressor": label,
        "bits a coordinate": found["bits_per_coordinate"],
        error: found["nmse"],
        "standard error": found["standard_error"],
        "at most": found["claimed"],
        "unbiased limit": found["unbiased_limit"],
        "times": found["over_unbiased_limit"],
        "4^-b": found["any_limit"],
        "times 4^-b": found["over_any_limit"],
        "excess bits": found["excess_bits"],
    }
    if loss.workers > 1:
        del row["4^-b"], row["times 4^-b"]
    kind = "n unbiased" if loss.unbiased else "ny"
    tables.show(
        title, [row], f"at most: what the compressor promises for every x; excess: beyond a{kind} code of this error"
    )
    rows = [
        {"bound": b.name, "value": b.value, "unit": b.unit, "formula": b.formula, "holds": b.regime, "source": b.source}
        for b in coding_loss.limits(loss)
    ]
    about = "" if normal else "; these are limits for Gaussian vectors, and others may be easier"
    tables.show("", rows, f"b = {loss.bits:.6g} bits of all there is in a message, over d{about}")


def _distributions(as_json: bool, asked: dict[str, Any]) -> None:
    """Lower bounds and promises for learning a distribution. asked: what `Bounds.of` takes."""
    from distest import promises, stated
    from distest.errors import UsageError

    found = stated.Bounds.of(**asked)
    if as_json:
        tables.json_lines(found.rows())
        return
    rows = [
        {
            "bound": b.name,
            "kind": b.kind,
            "value": b.value,
            "unit": b.unit,
            "sense": b.sense,
            "binds": "<-" if binds else "",
            "constants": ", ".join(f"{k}={v:.6g}" for k, v in b.constants.items()),
            "regime": b.regime if b.kind == "risk" else "",
            "source": b.source,
        }
        for b, binds in found.binding
    ]
    family, loss = asked["family"], asked["loss"]
    if not rows:
        raise UsageError(f"nothing is proved for {family} p and loss {loss} here, and no protocol promises anything")
    notes = ["asymptotic rows are limits: never divide a measurement by them"]
    if all(asked[budget] is None for budget in ("bits", "total_bits", "error")):
        notes.append("protocols that take a budget need --bits or --total-bits")
    if asked["n"] > promises.MOST:
        notes.append("promises of protocols are worked out for n up to 2^20")
    if family == "monotone" and loss != "l1":
        notes.append("no lower bound is stated for monotone p in l2")
    tables.show("n={n}, m={m}, s={s}".format(**asked), rows, "; ".join(notes))
