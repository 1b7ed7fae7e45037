"""The command group. Sub-commands are files of this folder and are imported only when they are called."""

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from distest.errors import unknown

COMMANDS = {
    "list": "Show everything that has a name: protocols, laws, data, methods, compressors, problems.",
    "learn": "Learn a distribution with one or more protocols and count every bit.",
    "train": "Train a model with one or more methods and count every bit.",
    "tune": "Search the best step size and knobs of each method, and say what that has won.",
    "compare": "Run a sweep of many trials, at equal bits or to a target; resumes where it was killed.",
    "bounds": "Print every bound that applies to a problem.",
    "plan": "Say which protocol, or which method, to take for a task.",
    "report": "Write a page about runs: answers, verdict, figures, bounds; one file, no network.",
    "show": "Print a kept transcript: who said what, field by field.",
    "audit": "Replay kept transcripts from their bits and compare with the records.",
    "doctor": "Say in plain words what works on this machine.",
    "completion": "Print a script by which a shell completes commands and names.",
}
RESERVED: tuple[str, ...] = ()


class Lazy(click.Group):
    """A group that knows the names and one-line helps of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if ctx.resilient_parsing and cmd_name not in COMMANDS:
            return None  # a shell asks about what was only begun
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(f"distest.cli.{cmd_name}_").command
            return command
        if cmd_name in RESERVED:
            raise click.ClickException(f"'distest {cmd_name}' is reserved for a later version of distest")
        raise click.ClickException(unknown("command", cmd_name, COMMANDS))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print the version of the installed package and stop."""
    if not wanted or context.resilient_parsing:
        return
    from importlib import metadata

    try:
        number = metadata.version("distest")
    except metadata.PackageNotFoundError:
        number = "unknown: it runs from a checkout and is not installed"
    click.echo(f"distest, version {number}")
    context.exit()


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Distributed estimation when every bit counts.

    Alone it runs in one process. `mpirun -n P distest ...` and `--ranks P` spread it over MPI ranks: same
    transcript, bit for bit.

    `distest COMMAND --help` has examples.
    """


def run(arguments: list[str]) -> Any:
    """Parse and run; click's own errors become one sentence and exit code 2."""
    try:
        return cli(arguments or ["--help"], standalone_mode=False, prog_name="distest")
    except click.NoSuchOption as error:
        guess = f" (did you mean {error.possibilities[0]}?)" if error.possibilities else ""
        raise click.UsageError(f"no option {error.option_name}{guess}", error.ctx) from None
