"""distest doctor: what works on this machine, in plain words."""

import click


@click.command("doctor")
@click.option("--warm", is_flag=True, help="Compile all kernels now, so that no run has to.")
def command(warm: bool) -> int:
    """Say in plain words which MPI was found, whether ranks talk, and whether the kernel cache works."""
    from distest import doctor

    if warm:
        click.echo(doctor.warm())
        return 0
    findings = doctor.examine()
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'note'}  {finding.sentence}")
    return 0
