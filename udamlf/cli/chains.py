"""Commands that run chains, and make the runs that chains start from."""

from dataclasses import replace
from typing import Any

import click

from udamlf.cli.options import DATA_ROOT, request_options
from udamlf.runs.launch import LOCAL, MANAGERS, StopFlag


@click.command()
@request_options
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL, show_default=True)
@click.option("--references/--no-references", default=True, help="Also run source_only and adabn, to compare with.")
@click.option("--control", "with_control", is_flag=True, help="Also run the control that is matched to the method.")
def run(
    env_manager: str, references: bool, with_control: bool, overrides: tuple[str, ...], start: str, **fields: Any
) -> None:
    """Run a method on a scenario: every stage a process, finished stages reused."""
    stop = StopFlag().install()
    from udamlf.runs.plan import CONTROL, Request

    request = Request(**fields, overrides=overrides)
    request.configuration()  # a name that does not exist is told in a second, before torch and mlflow are imported
    from udamlf.runs.chain import REFERENCES, run_chain
    from udamlf.runs.imports import start_file

    request = replace(request, start=start_file(start))
    others = [*(REFERENCES if references else ()), *([CONTROL] if with_control else [])]
    click.echo(run_chain(request, stop, env_manager, others))


@click.command()
@click.argument("file")
@click.option("--scenario", required=True, help="Whose classes the checkpoint predicts.")
@click.option("--profile", default="", help="How it is scored later; default: the scenario's.")
@click.option("--data-root", "folder", help=DATA_ROOT)
def import_checkpoint(file: str, **options: Any) -> None:
    """Make a run of a checkpoint FILE that another project released."""
    stop = StopFlag().install()
    from udamlf.runs.imports import import_file, summary

    imported, _, report = import_file(file, **options, stop=stop)
    click.echo(summary(report, imported.run_id))


COMMANDS = (run, import_checkpoint)
