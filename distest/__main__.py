"""`distest` and `python -m distest`: the way in, the exit codes, and the one sentence for the user."""

import os
import sys

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Run the command. Exit code 0 when all went well, 1 for a failed audit, an alarm or a broken run, 2 for bad input,
    3 for training that has left the finite numbers."""
    for name in ONE_THREAD:  # before numpy is there: products of matrices have other bits on several threads
        os.environ[name] = "1"
    from distest.rank import guarded, leave

    try:
        code = guarded(_command)
    except Exception as error:
        code = _explain(error)
    except KeyboardInterrupt:
        code = 130
    leave(code)


def _command() -> int:
    """Parse and run; errors of the parser and of files become errors of the user's."""
    import click

    from distest.cli.main import run
    from distest.errors import UsageError
    from distest.records import RecordError

    try:
        code = run(sys.argv[1:])
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise UsageError(" ".join(error.format_message().split())) from None
    except RecordError as error:
        raise UsageError(str(error)) from None
    except BrokenPipeError:
        return 0
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    """Errors raised on purpose are a sentence; anything else is a bug and keeps its traceback."""
    from distest.errors import DistestError, ModelError, PartyError, diverged
    from distest.rank import DIVERGED

    if not isinstance(error, DistestError):
        raise error
    print(f"distest: {error}", file=sys.stderr, flush=True)
    if diverged(error):
        return DIVERGED
    return 1 if isinstance(error, ModelError | PartyError) else 2


if __name__ == "__main__":
    main()
