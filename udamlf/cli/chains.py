"""Commands that run chains, and make the runs that chains start from."""

import os
from collections.abc import Sequence
from itertools import product
from typing import Any

import click

from udamlf.cli.options import DATA_ROOT, budget_options, manager, request_options, system_metrics
from udamlf.common.errors import UserError
from udamlf.runs.launch import LAUNCHER, LOCAL, follow_launcher, machine_slots, warm_up
from udamlf.runs.signals import StopFlag

plan_only = click.option("--plan", "only_plan", is_flag=True,
                         help="Print the steps, what is reused and the time; no more.")  # fmt: skip


@click.command()
@request_options
@manager
@click.option("--references/--no-references", default=True, show_default=True, help="Also source_only and adabn.")
@click.option("--control", "with_control", is_flag=True, help="Also the control that is matched to the method.")
@system_metrics
@plan_only
def run(env_manager: str, references: bool, with_control: bool, only_plan: bool, **fields: Any) -> None:
    """Run a method on a scenario: every stage a process, finished stages reused."""
    stop = StopFlag().install()
    if LAUNCHER in os.environ:  # a chain of a sweep
        follow_launcher()
    from udamlf.runs.plan import Request

    # A name that does not exist is told in a second, before torch and mlflow are imported.
    Request(**fields | {"start": ""}).configuration()
    if env_manager == LOCAL and not only_plan:
        warm_up()
    from udamlf.runs.chain import run_chain
    from udamlf.runs.checkpoints import start_file

    request = Request(**fields | {"start": start_file(fields["start"])})
    requests = request.compared(references, with_control)
    if only_plan:
        _print_plan(requests)
    else:
        click.echo(run_chain(requests, stop, env_manager)[1])


@click.command()
@click.option("--scenarios", required=True, help="Names in configs/scenarios, or files, separated by commas.")
@click.option("--methods", required=True, help="Names in configs/methods, or YAML files, separated by commas.")
@click.option("--seeds", default="0", show_default=True, help="Separated by commas.")
@budget_options
@click.option("--jobs", type=click.IntRange(1), help="Chains at once; default: one a GPU; without, 1 (Ray: a CPU).")
@click.option("--ray", "address", metavar="ADDRESS", help="On a Ray cluster, e.g. head:6379; local: Ray here.")
@manager
@click.option("--references/--no-references", default=True, show_default=True, help="Also source_only, once each.")
@click.option("--control/--no-control", "controls", default=True, show_default=True, help="Also matched controls.")
@system_metrics
@plan_only
def sweep(
    scenarios: str, methods: str, seeds: str, jobs: int | None, address: str | None, env_manager: str, references: bool,
    controls: bool, only_plan: bool, **fields: Any,
) -> None:  # fmt: skip
    """Run every method on every scenario with every seed, several chains at once; what is finished is not repeated."""
    stop = StopFlag().install()
    numbers = [int(seed) if seed.strip().isdecimal() else -1 for seed in seeds.split(",")]
    if min(numbers) < 0:
        raise UserError(f"--seeds {seeds}", "numbers of 0 or more, separated by commas, e.g. 0,1,2")
    from udamlf.runs.checkpoints import start_file
    from udamlf.runs.plan import Request
    from udamlf.runs.sweep import Sweep, matrix, ray_slots
    from udamlf.runs.tracker import Tracker

    fields["start"] = start_file(fields["start"])
    named, places = ([name.strip() for name in text.split(",")] for text in (methods, scenarios))
    wanted = [Request(s, m, seed=n, **fields) for m, s, n in product(named, places, numbers)]
    cells = matrix(wanted, references, controls)
    if only_plan:
        return _print_plan([cell.request for cell in cells], jobs or 1)
    tracker = Tracker.connect()
    slots, launch = ray_slots(address, jobs, tracker.uri) if address else machine_slots(jobs, tracker.uri)
    stop.install()  # Ray has taken over SIGTERM
    Sweep(cells, tracker, ["--env-manager", env_manager]).run(slots, launch)
    click.echo("\n".join(f"udamlf compare --gains --scenario {scenario}" for scenario in places))


def _print_plan(requests: Sequence[Any], at_once: int = 1) -> None:
    from udamlf.runs.chain import Chain
    from udamlf.runs.reuse import forecast
    from udamlf.runs.store import is_there
    from udamlf.runs.tracker import Tracker

    for line in forecast(requests, Tracker.existing() if is_there() else None, at_once):
        click.echo(line)
    for request in requests:
        Chain(request)  # refuses what a run would


@click.command()
@click.argument("file")
@click.option("--scenario", required=True, help="Whose classes the checkpoint predicts.")
@click.option("--profile", default="", help="How it is scored later; default: the scenario's.")
@click.option("--data-root", "folder", help=DATA_ROOT)
def import_checkpoint(file: str, **options: Any) -> None:
    """Make a run of a checkpoint FILE that another project released."""
    if not file:
        raise UserError("import-checkpoint ''", "the path of a file")
    stop = StopFlag().install()
    from udamlf.runs.checkpoints import import_file, summary
    from udamlf.runs.plan import Request

    imported, _, report = import_file(file, **options, stop=stop)
    goes_on = Request(options["scenario"], "iast", options["profile"], data_root=options["folder"], start=file)
    click.echo(f"{summary(report, imported.run_id)}\n\n{goes_on.command()}\nudamlf evaluate --run-id {imported.run_id}")


COMMANDS = (run, sweep, import_checkpoint)
