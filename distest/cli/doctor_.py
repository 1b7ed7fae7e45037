"""distest doctor: what works on this machine, in plain words."""

import click

from distest.cli.examples import examples


@click.command(
    "doctor",
    epilog=examples(
        "doctor",
        "doctor --warm",
    ),
)
@click.option("--warm", is_flag=True, help="Compile all kernels now, so that no run has to.")
def command(warm: bool) -> int:
    """Say in plain words which MPI was found, whether ranks talk, whether the kernel cache works, what is missing."""
    from distest import doctor

    if warm:
        click.echo(doctor.warm())
        return 0
    findings = doctor.examine()
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'note'}  {finding.sentence}")
    return 0
