"""The command line. Each command is a few lines; what it does lies elsewhere and is imported when it is needed, so
that ``udamlf --help`` answers at once."""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from udamlf.common.errors import UserError, nearest
from udamlf.runs.launch import LOCAL, MANAGERS, StopFlag, serve

RECIPES = ("adapted", "published")
FORMATS = ("table", "markdown", "csv", "json")
EXIT_USER_ERROR, EXIT_SIGNAL = 2, 128
_DATA_ROOT = "Folder that holds the data sets; default: the embedded miniature."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Self-training methods for domain adaptation of semantic segmentation, compared in MLflow."""


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is computed: the fields of ``runs.plan.Request``."""
    options = (
        click.option("--scenario", required=True, help="Source and target: a name in configs/scenarios, or a file."),
        click.option(
            "--method",
            default="iast",
            show_default=True,
            help="A name in configs/methods, or a YAML file; `udamlf methods` lists them.",
        ),
        click.option(
            "--recipe",
            type=click.Choice(RECIPES),
            default="adapted",
            show_default=True,
            help="A published method's own values, or those adapted to the profile, where there are any.",
        ),
        click.option(
            "--of",
            default="",
            metavar="METHOD",
            help="With --method control, or a baseline: the method that it is matched to.",
        ),
        click.option("--profile", default="", help="How much is computed; default: the scenario's."),
        click.option("--seed", type=int, default=0, show_default=True, help="0 or more."),
        click.option("--rounds", type=int, help="Number of self-training rounds; default: the method's."),
        click.option("--data-root", help=_DATA_ROOT),
        click.option("--start", default="", help="A released checkpoint file, or a run that imported one, as warm-up."),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a configuration value."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@request_options
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL, show_default=True)
@click.option("--references/--no-references", default=True, help="Also run source_only and adabn, to compare with.")
@click.option("--control", "with_control", is_flag=True, help="Also run the control that is matched to the method.")
def run(
    env_manager: str, references: bool, with_control: bool, overrides: tuple[str, ...], start: str, **fields: Any
) -> None:
    """Run a method on a scenario: every stage a process, finished stages reused."""
    stop = StopFlag().install()
    from udamlf.runs.chain import REFERENCES, run_chain
    from udamlf.runs.imports import start_file
    from udamlf.runs.plan import CONTROL, Request

    request = Request(**fields, overrides=overrides, start=start_file(start))
    others = [*(REFERENCES if references else ()), *([CONTROL] if with_control else [])]
    click.echo(run_chain(request, stop, env_manager, others))


@cli.command()
@click.argument("file")
@click.option("--scenario", required=True, help="Whose classes the checkpoint predicts.")
@click.option("--profile", default="", help="How it is scored later; default: the scenario's.")
@click.option("--data-root", "folder", help=_DATA_ROOT)
def import_checkpoint(file: str, **options: Any) -> None:
    """Make a run of a checkpoint FILE that another project released."""
    stop = StopFlag().install()
    from udamlf.runs.imports import import_file, summary

    imported, _, report = import_file(file, **options, stop=stop)
    click.echo(summary(report, imported.run_id))


@cli.command()
@click.option("--run-id", help="A warmup, import_checkpoint or self_train run.")
@click.option("--checkpoint", help="Instead: a released file, imported if it is not yet; with --scenario.")
@click.option("--scenario", default="", help="With --checkpoint.")
@click.option("--profile", default="", help="With --checkpoint: the protocol; default: the scenario's.")
@click.option("--split", help="A split of the run's scenario, or of its target's data set; default: the reported one.")
@click.option("--data-root", "folder", help="Another folder with the same layout.")
@click.option("--scales", default="", help="Factors of the test size, separated by commas, e.g. 0.75,1,1.25.")
@click.option("--flip", is_flag=True, help="Average with the mirrored image's prediction.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--save-predictions", "predictions", type=click.Path(path_type=Path),
              help="Folder for masks in the submission format.")  # fmt: skip
def evaluate(
    run_id: str | None, checkpoint: str | None, scenario: str, profile: str, folder: str | None, scales: str, form: str,
    **options: Any,
) -> None:  # fmt: skip
    """Score a training run's checkpoint, or a released one, on a split."""
    stop = StopFlag().install()
    factors = _factors(scales)
    if bool(run_id) == bool(checkpoint) or bool(checkpoint) != bool(scenario) or (run_id and profile):
        expected = "--run-id RUN, or --checkpoint FILE --scenario SCENARIO [--profile PROFILE]"
        raise UserError("evaluate takes exactly one checkpoint, and for a file its scenario", expected)
    from udamlf.report.comparison import render_evaluation
    from udamlf.runs.imports import import_file
    from udamlf.runs.runner import evaluate_run

    if checkpoint:
        imported, options["config"], _ = import_file(checkpoint, scenario, profile, folder, stop)
        run_id = imported.run_id
    result, config = evaluate_run(str(run_id), stop, scales=factors, folder=folder, **options)
    click.echo(json.dumps(result, indent=2) if form == "json" else render_evaluation(result, config.space))


def _factors(text: str) -> list[float]:
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
    "--gains", is_flag=True, help="Headline mIoU by seed, over source_only and the matched control (table, markdown)."
)
def compare(scenario: str | None, form: str, gains: bool) -> None:
    """Methods beside classes, mean over seeds, from every finished chain of the store."""
    from udamlf.config.compose import available
    from udamlf.report import comparison
    from udamlf.runs.tracker import Tracker

    if gains and form not in ("table", "markdown"):
        raise UserError(f"--gains --format {form}", "table or markdown", "udamlf compare --format json")
    tracker = Tracker.connect()
    rows = comparison.rows(tracker.search(comparison.finished(scenario)))
    if scenario and not rows and scenario not in available("scenarios"):
        raise UserError(f"unknown scenario {scenario!r}", "", nearest(scenario, available("scenarios")))
    click.echo(comparison.render_gains(rows, form) if gains else comparison.render(rows, form))
    running = tracker.search(comparison.chains(scenario), "RUNNING") if form == "table" else []
    click.echo(comparison.render_running(running), nl=False)


@cli.group(invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List scenarios, methods and profiles, a line each."""
    if context.invoked_subcommand is None:
        from udamlf.runs.recipes import listing

        click.echo(listing())


@methods.command()
@click.argument("method")
@click.option("--scenario", default="gta2city", show_default=True)
@click.option("--profile", default="", help="Default: the scenario's.")
@click.option("--recipe", type=click.Choice(RECIPES), default="adapted", show_default=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a configuration value.")
def show(method: str, recipe: Any, scenario: str, profile: str, overrides: tuple[str, ...]) -> None:
    """Print a method's resolved recipe, and what differs from the published one."""
    from udamlf.runs.plan import Request
    from udamlf.runs.recipes import recipe_text

    published = Request(scenario, method, profile, recipe="published", overrides=overrides)
    click.echo(recipe_text(replace(published, recipe=recipe).configuration(), published.configuration()))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=5000, show_default=True)
@click.option("--scenario", help="Show only this scenario.")
def ui(host: str, port: int, scenario: str | None) -> None:
    """Serve the store and print the address of the comparison."""
    from udamlf.runs.tracker import Tracker

    tracker = Tracker.connect()
    remote = tracker.uri.startswith("http")
    click.echo(tracker.address(None if remote else f"http://{host}:{port}", scenario))
    if not remote:
        sys.stdout.flush()
        serve(tracker.uri, host, port)


@cli.command()
@click.option("--scenario", "scenarios", multiple=True, help="Default: all.")
@click.option("--data-root", "folder", help=_DATA_ROOT)
@click.option("--dry-step", is_flag=True, help="Instead: what a step of each training of --method needs.")
@click.option("--method", default="proda", show_default=True, help="With --dry-step.")
@click.option("--profile", default="paper", show_default=True, help="With --dry-step.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="With --dry-step.")
def doctor(scenarios: tuple[str, ...], folder: str | None, dry_step: bool, **request: Any) -> None:
    """Versions, devices, environment managers, disk, and the data sets with their classes."""
    from udamlf.config.compose import available
    from udamlf.runs.doctor import measured_steps, report
    from udamlf.runs.plan import Request

    scenario = scenarios[0] if scenarios else "gta2city"
    every = list(scenarios) or available("scenarios")
    for line in measured_steps(Request(scenario, **request).resolve()) if dry_step else report(every, folder):
        click.echo(line)


@cli.group()
def data() -> None:
    """Data that is looked at, or made."""


@data.command()
@click.option("--seed", type=int, default=0, show_default=True, help="0 or more; every seed is another world.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder, usable as --data-root.")
@click.option("--frames", type=click.IntRange(1), help="Frames in every split; default: the miniature's own numbers.")
def miniature(seed: int, out: Path, frames: int | None) -> None:
    """Generate a world of procedural street scenes in the real formats of the data sets."""
    from udamlf.miniature import DEFAULT_FRAMES, Frames, generate

    generate(out, seed, Frames.tiny(frames) if frames else DEFAULT_FRAMES)
    click.echo(f"--data-root {out}")


@data.command()
@click.argument("scenario")
@click.option("--data-root", "folder", help=_DATA_ROOT)
def check(scenario: str, folder: str | None) -> None:
    """Look at every file of SCENARIO: headers, sizes, the ids of every label; exit code 2 if any is bad."""
    from udamlf.runs.doctor import check_data

    bad: dict[str, None] = {}  # splits may share files
    for lines, files in check_data(scenario, folder):
        click.echo("\n".join(lines))
        bad |= dict.fromkeys(files)
    click.echo("\n".join([f"{len(bad)} bad files", *bad]))
    if bad:
        sys.exit(EXIT_USER_ERROR)


@cli.group()
def runs() -> None:
    """Maintenance of the store."""


@runs.command()
@click.option("--older-than", type=float, metavar="MINUTES", help="Also runs of other hosts that were silent so long.")
def reap(older_than: float | None) -> None:
    """Mark runs KILLED that are RUNNING although their process is gone."""
    from udamlf.runs import maintenance
    from udamlf.runs.tracker import Tracker

    dead = maintenance.reap(Tracker.connect(), older_than)
    click.echo("\n".join([f"{len(dead)} runs marked KILLED", *dead]))


@cli.command()
def sync() -> None:
    """Send what was recorded while the tracking store did not answer."""
    from udamlf.runs import maintenance
    from udamlf.runs.tracker import Tracker

    sent = maintenance.sync(Tracker.connect())
    click.echo("\n".join([f"{len(sent)} runs sent", *sent]))


def guarded(command: click.Command, arguments: list[str] | None) -> None:
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
        click.echo("Interrupted; run the same command to resume.", err=True)
        sys.exit(EXIT_SIGNAL + 2)


def main() -> None:
    """The console script."""
    guarded(cli, None)
