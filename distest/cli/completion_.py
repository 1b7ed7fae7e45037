"""distest completion: the script by which a shell completes commands, options and names."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_DISTEST_COMPLETE"  # in which the shell asks, by click's rule for a program of this name


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a script by which SHELL completes commands, options, and names of protocols, methods and data.

    \b
    For this session, or as a line of ~/.bashrc or ~/.zshrc:
        eval "$(distest completion bash)"
        eval "$(distest completion zsh)"
    For fish:
        distest completion fish > ~/.config/fish/completions/distest.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    root = click.get_current_context().find_root()
    click.echo(kind(root.command, {}, "distest", VARIABLE).source(), nl=False)
    return 0
