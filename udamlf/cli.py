"""The command line. Each command is a few lines; what it does lies elsewhere and is imported when it is needed, so
that ``udamlf --help`` answers at once."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from udamlf.errors import UserError
from udamlf.launch import LOCAL, MANAGERS, StopFlag, follow_launcher, serve

FORMATS = ("table", "markdown", "csv", "json")
EXIT_USER_ERROR, EXIT_SIGNAL = 2, 128


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Self-training methods for domain adaptation of semantic segmentation, compared in MLflow."""


def _request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is computed: the fields of ``chain.Request``."""
    options = (
        click.option(
            "--scenario", required=True, help="Source and target: a name in configs/scenarios, or a YAML file."
        ),
        click.option("--method", default="iast", show_default=True, help="A name in configs/methods, or a YAML file."),
        click.option("--profile", default="", help="How much is computed; default: the scenario's."),
        click.option("--seed", type=int, default=0, show_default=True, help="0 or more."),
        click.option("--rounds", type=int, help="Number of self-training rounds; default: the method's."),
        click.option("--data-root", help="Folder that holds the data sets; default: the embedded miniature."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a configuration value."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_request_options
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL, show_default=True)
@click.option("--references/--no-references", default=True, help="Also run source_only and adabn, to compare with.")
def run(env_manager: str, references: bool, overrides: tuple[str, ...], **fields: Any) -> None:
    """Run a method on a scenario: every stage a process, finished stages reused."""
    stop = StopFlag().install()
    from udamlf.commands import run_chain
    from udamlf.plan import Request

    click.echo(run_chain(Request(**fields, overrides=overrides), stop, env_manager, references))


@cli.command()
@click.option("--run-id", required=True, help="A warmup or self_train run.")
@click.option("--split", help="A list of the run's scenario; default: the reported one.")
@click.option("--data-root", help="Another folder with the same layout.")
@click.option("--scales", help="Factors of the test size, separated by commas, e.g. 0.75,1,1.25.")
@click.option("--flip", is_flag=True, help="Average with the mirrored image's prediction.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--save-predictions", type=click.Path(path_type=Path), help="Folder for masks in the submission format.")
def evaluate(
    run_id: str,
    split: str | None,
    data_root: str | None,
    scales: str | None,
    flip: bool,
    form: str,
    save_predictions: Path | None,
) -> None:
    """Score a training run's checkpoint on a list."""
    stop = StopFlag().install()
    factors = _factors(scales)
    from udamlf.commands import evaluate_run
    from udamlf.report.tables import render_evaluation

    result, config = evaluate_run(run_id, stop, split, data_root, factors, flip, save_predictions)
    click.echo(json.dumps(result, indent=2) if form == "json" else render_evaluation(result, config.space))


def _factors(text: str | None) -> list[float]:
    try:
        factors = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        factors = [0.0]
    if any(not 0 < factor <= 8 for factor in factors):
        raise UserError(f"--scales {text}", "numbers above 0, separated by commas, e.g. 0.75,1,1.25")
    return factors


@cli.command()
@click.option("--scenario", help="Only this scenario.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "--gains", is_flag=True, help="Headline mIoU by seed, over source_only and over control (table, markdown)."
)
def compare(scenario: str | None, form: str, gains: bool) -> None:
    """Methods beside classes, mean over seeds, from every finished chain of the store."""
    from udamlf.errors import nearest
    from udamlf.report.compare import collect
    from udamlf.report.tables import render
    from udamlf.resolve import available
    from udamlf.tracking import Tracker

    tracker = Tracker.connect()
    rows = collect(tracker, scenario)
    if scenario and not rows and scenario not in available("scenarios"):
        raise UserError(f"unknown scenario {scenario!r}", "", nearest(scenario, available("scenarios")))
    if gains:
        from udamlf.report.gains import render_gains

        if form not in ("table", "markdown"):
            raise UserError(f"--gains --format {form}", "table or markdown", "udamlf compare --format json")
        click.echo(render_gains(tracker, rows, form))
    else:
        click.echo(render(rows, form))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=5000, show_default=True)
@click.option("--scenario", help="Show only this scenario.")
def ui(host: str, port: int, scenario: str | None) -> None:
    """Serve the store and print the address of the comparison."""
    from udamlf.tracking import Tracker

    tracker = Tracker.connect()
    remote = tracker.uri.startswith("http")
    click.echo(tracker.address(None if remote else f"http://{host}:{port}", scenario))
    if not remote:
        sys.stdout.flush()
        serve(tracker.uri, host, port)


@cli.command()
@click.option("--scenario", "scenarios", multiple=True, help="Default: all.")
@click.option("--data-root", help="Folder that holds the data sets; default: the embedded miniature.")
@click.option("--dry-step", is_flag=True, help="Instead: peak memory of a step of every training of --method.")
@click.option("--method", default="proda", show_default=True, help="With --dry-step.")
@click.option("--profile", default="paper", show_default=True, help="With --dry-step.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="With --dry-step.")
@click.option("--measure", is_flag=True, help="With --dry-step: run the step, on the GPU if there is one.")
def doctor(
    scenarios: tuple[str, ...],
    data_root: str | None,
    dry_step: bool,
    method: str,
    profile: str,
    overrides: tuple[str, ...],
    measure: bool,
) -> None:
    """Versions, devices, environment managers, disk, and the data sets with their classes."""
    from udamlf.doctor import dry_steps, report
    from udamlf.resolve import available, resolve

    if dry_step:
        scenario = scenarios[0] if scenarios else "gta2city"
        lines = dry_steps(resolve(scenario, method, profile, overrides=overrides), measure)
    else:
        lines = report(list(scenarios) or available("scenarios"), data_root)
    for line in lines:
        click.echo(line)


@cli.group()
def data() -> None:
    """Data that udamlf can make."""


@data.command()
@click.option("--seed", type=int, default=0, show_default=True, help="0 or more; every seed is another world.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder, usable as --data-root.")
@click.option("--frames", type=click.IntRange(1), help="Frames in every split; default: the miniature's own numbers.")
def miniature(seed: int, out: Path, frames: int | None) -> None:
    """Generate a world of procedural street scenes in the real formats of the data sets."""
    from udamlf.data.miniature import DEFAULT_FRAMES, Frames, generate

    generate(out, seed, Frames.tiny(frames) if frames else DEFAULT_FRAMES)
    click.echo(f"--data-root {out}")


@data.command()
@click.option("--scenario", required=True, help="A name in configs/scenarios, or a YAML file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .npy file.")
@click.option("--data-root", help="Folder that holds the data sets; default: the embedded miniature.")
def prior(scenario: str, out: Path, data_root: str | None) -> None:
    """Compute CBST-SP's spatial prior from the source labels: float32 [classes, height / 8, width / 8]."""
    from udamlf.data.lists import ScenarioData
    from udamlf.plan import Request
    from udamlf.selection.spatial_prior import save_prior
    from udamlf.stages.source_prior import source_prior

    if out.suffix != ".npy":
        raise UserError(f"--out {out}", "a .npy file")
    save_prior(out, source_prior(ScenarioData(Request(scenario, "source_only", data_root=data_root).resolve())))
    click.echo(f"--set method.round.selector.prior={out.absolute()}")


@cli.group()
def runs() -> None:
    """Upkeep of the store."""


@runs.command()
@click.option("--older-than", type=float, metavar="MINUTES", help="Also runs of other hosts that were silent so long.")
def reap(older_than: float | None) -> None:
    """Mark runs KILLED that are RUNNING although their process is gone."""
    from udamlf.tracking import Tracker
    from udamlf.upkeep import reap as reap_runs

    dead = reap_runs(Tracker.connect(), older_than)
    click.echo("\n".join([f"{len(dead)} runs marked KILLED", *dead]))


@cli.command()
def sync() -> None:
    """Send what was recorded while the tracking store did not answer."""
    from udamlf.tracking import Tracker
    from udamlf.upkeep import sync as sync_runs

    sent = sync_runs(Tracker.connect())
    click.echo("\n".join([f"{len(sent)} runs sent", *sent]))


# --- entry points of the MLproject -----------------------------------------------------------------------------------


@click.command()
@_request_options
@click.option("--round", type=int)
@click.option("--start-run")
@click.option("--labels-run")
@click.option("--generator-run")
@click.option("--pretrain-run")
@click.option("--subset-run")
@click.option("--runs")
@click.option("--shard")
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL)
@click.argument("stage")
def _entry(stage: str, overrides: tuple[str, ...], round: int | None, env_manager: str, **fields: Any) -> None:
    stop = StopFlag().install()
    follow_launcher()
    from udamlf.plan import Request

    inputs = ("start", "labels", "generator", "pretrain", "subset")
    ids = {name: value for name in inputs if (value := fields.pop(f"{name}_run"))}
    ids |= _named_runs(fields.pop("runs") or "")
    shard = fields.pop("shard")
    if shard and not ids:
        raise UserError(f"--shard {shard} without the training that labels", "--generator-run RUN_ID")
    request = Request(**fields, overrides=tuple(text for given in overrides for text in shlex.split(given)))
    if stage in ("warmup", "target_subset", "pretrain") or ids:
        from udamlf.stages.runner import run_stage

        first = 0 if stage in ("warmup", "evaluate") else 1
        run_stage(stage, request, first if round is None else round, ids, stop, shard)
        return
    import os

    from udamlf.commands import run_chain

    last_step = ("pseudo_label", round or 1) if stage == "pseudo_label" else None
    adopted = os.environ.get("MLFLOW_RUN_ID")
    click.echo(run_chain(request, stop, env_manager, adopted=adopted, last_step=last_step))


def _named_runs(text: str) -> dict[str, str]:
    """``round0=<run id> labels1=<run id>`` as a mapping; a bare run id is round 0's."""
    pairs = [part.split("=", 1) if "=" in part else ["round0", part] for part in shlex.split(text)]
    return {name: run_id for name, run_id in pairs}


def entry(stage: str) -> None:
    """Run an entry point of the MLproject with the parameters of the command line; an empty one is not given."""
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    _guarded(_entry, [stage, *(text for pair in pairs if pair[1] for text in pair)])


def _guarded(command: click.Command, arguments: list[str] | None) -> None:
    """Run a command; bad input is one message on stderr and exit code 2, a signal ends like an unhandled one."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("udamlf").setLevel(logging.INFO)
    logging.getLogger("mlflow.projects").setLevel(logging.WARNING)
    try:
        command.main(args=arguments, prog_name="udamlf", standalone_mode=False)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_USER_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the same command goes on where it was", err=True)
        sys.exit(EXIT_SIGNAL + 2)


def main() -> None:
    """The console script."""
    _guarded(cli, None)
