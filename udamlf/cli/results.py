"""Commands that score, use, compare, explain and repeat what has been trained."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from udamlf.cli.options import EXIT_USER_ERROR, complete, manager, only_scenario, override, recipe, training_run
from udamlf.common.errors import UserError
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import output


@click.command()
@training_run
@click.option("--checkpoint", help="Instead: a released file, imported if it is not yet; with --scenario.")
@click.option("--scenario", default="", help="With --checkpoint.")
@click.option("--profile", default="", help="With --checkpoint: the protocol; default: the scenario's.")
@click.option("--split", help="A split of the run's scenario, or of its target's data set; default: the reported one.")
@click.option("--data-root", "folder", help="Another folder with the same layout.")
@click.option("--scales", default="", help="Factors of the test size, separated by commas, e.g. 0.75,1,1.25.")
@click.option("--flip", is_flag=True, help="Average with the mirrored image's prediction.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--save-predictions", "predictions", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for masks in the submission format.")  # fmt: skip
def evaluate(
    run_id: str, checkpoint: str | None, scenario: str, profile: str, folder: str | None, scales: str, form: str,
    **options: Any,
) -> None:  # fmt: skip
    """Score a training run's checkpoint, or a released one, on a split."""
    stop = StopFlag().install()
    if bool(run_id) == bool(checkpoint) or bool(checkpoint) != bool(scenario) or (run_id and profile):
        expected = "--run-id RUN, or --checkpoint FILE --scenario SCENARIO [--profile PROFILE]"
        raise UserError("evaluate takes exactly one checkpoint, and for a file its scenario", expected)
    from udamlf.config.budget import EvalProtocol
    from udamlf.config.parts import validated

    factors = validated(EvalProtocol, {"scales": scales.split(",")}, f"--scales {scales}").scales if scales else ()
    from udamlf.report.tables import render_evaluation
    from udamlf.runs.checkpoints import evaluate_run, import_file

    if options["predictions"]:
        output(options["predictions"])
    if checkpoint:
        imported, options["config"], _ = import_file(checkpoint, scenario, profile, folder, stop)
        run_id = imported.run_id
    result, config = evaluate_run(run_id, stop, scales=factors, folder=folder, **options)
    click.echo(json.dumps(result, indent=2) if form == "json" else render_evaluation(result, config.space))


@click.command()
@only_scenario
@click.option("--baseline", default="", metavar="METHOD", help="Of differences; default: source_only, the control.")
@click.option("--over", type=click.Choice(("seeds", "worlds")), default="seeds", show_default=True,
              help="Worlds: pool runs on different generated worlds too.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(("table", "markdown", "latex", "csv", "json")),
              default="table", show_default=True)  # fmt: skip
@click.option("--gains", "content", flag_value="gains", help="Instead: headline mIoU and gains seed by seed.")
@click.option("--cost", "content", flag_value="cost",
              help="Instead: parameters, FLOPs, frames/s and training hours beside mIoU.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False),
              help="Write a PNG: mIoU over the rounds, classes, coverage against precision.")  # fmt: skip
def compare(scenario: str | None, baseline: str, over: str, form: str, content: str | None, plot: Path | None) -> None:
    """Methods with 95 % intervals and paired differences, and by class, from every finished chain of the store."""
    from udamlf.report import comparison, tables
    from udamlf.runs.results import finished_rows, rounds
    from udamlf.runs.tracker import Tracker

    if content == "gains" and form in ("csv", "json"):
        raise UserError(f"--gains --format {form}", "table, markdown or latex", "udamlf compare --format json")
    plot = output(plot, ".png") if plot else None
    tracker = Tracker.existing()
    rows = finished_rows(tracker, scenario, baseline, over)
    if plot and rows:
        from udamlf.report.plots import comparison_figure

        comparison_figure(rows, rounds(tracker, rows), plot)
    if content is None and rows and form not in ("csv", "json"):
        click.echo(f"{tables.render(rows, form, baseline, 'summary')}\n")
    click.echo(tables.render(rows, form, baseline, content or "classes"))
    running = tracker.search(comparison.chains(scenario), "RUNNING") if form == "table" else []
    if running:
        click.echo(tables.render_running(running))


@click.command()
@click.option("--scenario", required=True, help="A name, or its file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="An HTML file.")
@click.option("--run-id", "run_ids", multiple=True, help="Only these chains; may be given several times.")
def report(scenario: str, out: Path, run_ids: tuple[str, ...]) -> None:
    """Write one self-contained page: tables, plots, pictures, and where every number comes from."""
    from udamlf.runs.results import report as write

    run_id = write(scenario, out, run_ids)
    click.echo(f"{out}, and as an artifact of run {run_id}")


@click.command()
@only_scenario
def validators(scenario: str | None) -> None:
    """How validators, which need no target labels, rank methods and rounds beside the true mIoU."""
    from udamlf.report import comparison
    from udamlf.report.validators import render, trainings
    from udamlf.runs.tracker import Tracker

    tracker = Tracker.existing()
    click.echo(render(trainings(tracker.search(comparison.finished(scenario)), tracker.search({"stage": "evaluate"}))))


@click.group(invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List scenarios, methods and profiles, a line each."""
    if context.invoked_subcommand is None:
        from udamlf.runs.recipes import listing

        click.echo(listing())


@methods.command()
@click.argument("method", shell_complete=complete)
@click.option("--scenario", default="gta2city", show_default=True)
@click.option("--profile", default="", help="Default: the scenario's.")
@recipe
@override
def show(method: str, recipe: Any, scenario: str, profile: str, overrides: tuple[str, ...]) -> None:
    """Print a method's resolved recipe, and what differs from the published one."""
    from udamlf.runs.plan import Request
    from udamlf.runs.recipes import recipe_text

    asked = Request(scenario, method, profile, recipe=recipe, overrides=overrides)
    click.echo(recipe_text(asked.configuration(), replace(asked.beside(method), recipe="published").configuration()))


@click.command()
@click.argument("kind", type=click.Choice(("scenario", "method", "profile")))
def schema(kind: str) -> None:
    """Print the JSON schema of a scenario's, method's or profile's YAML file, for editors."""
    from udamlf.config.compose import json_schema

    click.echo(json.dumps(json_schema(f"{kind}s"), indent=2))


@click.command()
@training_run
@click.option("--model", default="", metavar="URI", help="Instead: a registered model, e.g. models:/NAME@champion.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder for masks and overlays.")  # fmt: skip
@click.argument("inputs", nargs=-1, required=True)
def predict(run_id: str, model: str, out: Path, inputs: tuple[str, ...]) -> None:
    """Segment images, folders of them and videos: INPUTS; exit code 2 if any cannot be read."""
    from udamlf.runs.checkpoints import predict_files, segmenter

    output(out)
    done, bad = predict_files(segmenter(run_id, model), inputs, out)
    click.echo("\n".join([f"{out}: {done} labels, colour, overlay; classes.json; {len(bad)} bad files", *bad]))
    if bad:
        sys.exit(EXIT_USER_ERROR)


@click.command()
@training_run
@click.option("--name", default="", help="Of the registered model; default: SCENARIO-METHOD.")
@click.option("--alias", default="", help="A name for this version, e.g. champion; it moves here from another one.")
def register(run_id: str, name: str, alias: str) -> None:
    """Put a training's network into MLflow's model registry."""
    from udamlf.runs.checkpoints import register

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
@override
@manager
def rerun(run: str, overrides: tuple[str, ...], env_manager: str) -> None:
    """Run a chain again as it was recorded, reusing what is there, and say what differs from RUN."""
    stop = StopFlag().install()
    from udamlf.runs.repeat import rerun

    click.echo(rerun(run, overrides, stop, env_manager))


COMMANDS = (evaluate, compare, report, validators, methods, schema, predict, register, diff, rerun)
