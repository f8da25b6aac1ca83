"""Commands that use trained networks, and repeat runs."""

import sys
from pathlib import Path

import click

from udamlf.cli.options import EXIT_USER_ERROR, environment_manager
from udamlf.runs.launch import StopFlag


@click.command()
@click.option("--run-id", default="", help="A training's run, or a chain: its last training.")
@click.option("--model", default="", metavar="URI", help="Instead: a registered model, e.g. models:/NAME@champion.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for masks and overlays.")
@click.argument("inputs", nargs=-1, required=True)
def predict(run_id: str, model: str, out: Path, inputs: tuple[str, ...]) -> None:
    """Segment images, folders of them and videos: INPUTS; exit code 2 if any cannot be read."""
    from udamlf.runs.prediction import predict_files, segmenter

    bad = predict_files(segmenter(run_id, model), inputs, out)
    click.echo("\n".join([f"{out}: labels, colour, overlay, classes.json; {len(bad)} bad files", *bad]))
    if bad:
        sys.exit(EXIT_USER_ERROR)


@click.command()
@click.option("--run-id", required=True, help="A training's run, or a chain: its last training.")
@click.option("--name", default="", help="Of the registered model; default: SCENARIO-METHOD.")
@click.option("--alias", default="", help="A name for this version, e.g. champion; it moves here from another one.")
def register(run_id: str, name: str, alias: str) -> None:
    """Put a training's network into MLflow's model registry."""
    from udamlf.runs.prediction import register

    address = register(run_id, name, alias)
    click.echo(f"{address}\nmlflow models serve -m {address} --env-manager local")


@click.command()
@click.argument("run1")
@click.argument("run2")
def diff(run1: str, run2: str) -> None:
    """What differs between RUN1 and RUN2, chains or stages: configuration, data, code, environment, results."""
    from udamlf.runs.repeat import differences

    click.echo(differences(run1, run2))


@click.command()
@click.argument("run")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@environment_manager
def rerun(run: str, overrides: tuple[str, ...], env_manager: str) -> None:
    """Run a chain again as it was recorded, reusing what is there, and say what differs from RUN."""
    stop = StopFlag().install()
    from udamlf.runs.repeat import rerun

    click.echo(rerun(run, overrides, stop, env_manager))


COMMANDS = (predict, register, diff, rerun)
