"""Commands that look after the store, the data and the machine."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from udamlf.cli.options import DATA_ROOT, EXIT_USER_ERROR, only_scenario, override, request_options
from udamlf.common.errors import UserError
from udamlf.runs.server import serving


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@only_scenario
def ui(host: str, port: int, scenario: str | None) -> None:
    """Serve the store, and print the address of the comparison once the server answers."""
    from udamlf.runs.pages import address
    from udamlf.runs.tracker import Tracker

    tracker = Tracker.connect()
    if tracker.uri.startswith("http"):
        click.echo(address(tracker, "", scenario))
        return
    click.echo("starting the server ...", err=True)
    with serving(tracker.uri, host, port) as server:
        click.echo(address(tracker, f"http://{host}:{port}", scenario))
        sys.stdout.flush()
        sys.exit(server.wait())


@click.command()
@click.option("--data", "with_data", is_flag=True, help="Also the data sets of every scenario, with their classes.")
@click.option("--scenario", "scenarios", multiple=True, help="Also the data sets of this scenario.")
@click.option("--data-root", "folder", help=DATA_ROOT)
@click.option("--step", is_flag=True, help="Instead: memory and time of a step of each training, hours of the chain.")
@click.option("--method", default="proda", show_default=True, help="With --step.")
@click.option("--profile", default="paper", show_default=True, help="With --step.")
@override
def doctor(with_data: bool, scenarios: tuple[str, ...], folder: str | None, step: bool, **request: Any) -> None:
    """Versions, devices, environment managers, disk; data sets, with a folder or scenario; --set goes with --step."""
    from udamlf.config.compose import available

    if step:
        from udamlf.runs.dry_step import measured_steps
        from udamlf.runs.plan import Request

        for name in scenarios or ("gta2city",):
            for line in measured_steps(Request(name, data_root=folder, **request).resolve(files=False)):
                click.echo(line)
        return
    from udamlf.runs.doctor import SAMPLED_LABELS, is_absent, look_at, report

    click.echo("\n".join(report()))
    root, damaged = f" --data-root {shlex.quote(folder)}" if folder else "", 0
    shipped = available("scenarios") if (with_data or folder) and not scenarios else []
    if absent := [name for name in shipped if is_absent(name, folder)]:
        click.echo(f"\nno data set is here of: {', '.join(absent)}")
    for name in scenarios or (name for name in shipped if name not in absent):
        click.echo()
        for text, bad in look_at(name, folder, SAMPLED_LABELS):
            damaged += len(bad) if scenarios else 0  # of all scenarios some have no data here
            more = f"\n  bad files: {len(bad)}, e.g. {bad[0]}\n  udamlf data check {name}{root}" if bad else ""
            click.echo(text + more)
    if damaged:
        sys.exit(EXIT_USER_ERROR)


@click.group()
def data() -> None:
    """Check, cache or generate data."""


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
@request_options
def cache(**request: Any) -> None:
    """Decode and keep, in parallel, every frame that the trainings of a chain read, before it starts."""
    from udamlf.runs.doctor import cache_data

    for line in cache_data(request):
        click.echo(line)


@data.command()
@click.argument("scenario")
@click.option("--data-root", "folder", help=DATA_ROOT)
def check(scenario: str, folder: str | None) -> None:
    """Check every file of SCENARIO: headers, sizes, the ids of every label; exit code 2 if any is bad."""
    from udamlf.runs.doctor import look_at

    bad: dict[str, None] = {}  # splits may share files
    for text, files in look_at(scenario, folder, None):
        click.echo(text)
        bad |= dict.fromkeys(files)
    click.echo("\n".join([f"{len(bad)} bad files", *bad]))
    if bad:
        sys.exit(EXIT_USER_ERROR)


@click.group()
def runs() -> None:
    """Maintenance of the store."""


@runs.command()
@click.option("--older-than", type=float, metavar="MINUTES", help="Also runs of other hosts that were silent so long.")
def reap(older_than: float | None) -> None:
    """Mark runs KILLED that are RUNNING although their process is gone."""
    from udamlf.runs import maintenance
    from udamlf.runs.tracker import Tracker

    dead = maintenance.reap(Tracker.existing(), older_than)
    click.echo("\n".join([f"{len(dead)} runs marked KILLED", *dead]))


@runs.command()
def relocate() -> None:
    """After mlflow.db was moved to another folder with its mlruns: have it name its artifacts there."""
    from udamlf.runs.store import relocate, store_uri

    click.echo("\n".join(relocate(store_uri()) or ["it names no other folder"]))


@click.command()
def sync() -> None:
    """Send what was recorded while the tracking store did not answer."""
    from udamlf.runs import maintenance
    from udamlf.runs.tracker import Tracker

    sent = maintenance.sync(Tracker.existing())
    click.echo("\n".join([f"{len(sent)} runs sent", *sent]))


@click.command()
@click.option("--keep", default="best,last", show_default=True, help="Checkpoints: best, last or best,last.")
@click.option("--cache-gib", type=click.IntRange(0), default=50, show_default=True, help="What caches may take.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(keep: str, cache_gib: int, yes: bool) -> None:
    """Delete checkpoints that nothing needs, caches beyond a size, and the work of stages interrupted long ago."""
    from udamlf.runs.maintenance import KEEP, waste
    from udamlf.runs.tracker import Tracker

    kept = set(filter(None, keep.split(",")))
    if not kept or not kept <= {*KEEP}:
        raise UserError(f"--keep {keep}", "best, last, or best,last")
    tracker = Tracker.existing()
    items = list(waste(tracker, kept, cache_gib * 2**30))
    for each in items:
        click.echo(f"{each.size / 2**20:10.1f} MiB  {each.what}")
    click.echo(f"{sum(each.size for each in items) / 2**30:.2f} GiB in {len(items)} places")
    if not yes and items:
        click.echo("Delete them? [y/N] ", nl=False)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return click.echo("nothing is deleted")
        still = {each.what for each in waste(tracker, kept, cache_gib * 2**30)}  # something may have come into use
        items = [each for each in items if each.what in still]
    for each in items:
        each.delete()


COMMANDS = (ui, doctor, data, runs, sync, prune)
