"""The entry points of the MLproject: their parameters are options of one command."""

import os
import shlex
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from udamlf.cli import guarded
from udamlf.cli.options import EXIT_USER_ERROR, request_options
from udamlf.common.errors import UserError
from udamlf.runs.launch import LAUNCHER, LOCAL, MANAGERS, follow_launcher
from udamlf.runs.signals import StopFlag


@click.command()
@request_options
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--round", type=int)
@click.option("--inputs", default="")
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL)
@click.option("--control", type=bool, default=False)
@click.argument("name")
def _entry(
    name: str, config: Path | None, round: int | None, inputs: str, env_manager: str, control: bool,
    overrides: tuple[str, ...], start: str, **fields: Any,
) -> None:  # fmt: skip
    stop, adopted = StopFlag().install(), os.environ.get("MLFLOW_RUN_ID")
    stop.asked()  # a signal waits for these: closing the run takes them, and half a library cannot be imported again
    from udamlf.runs.checkpoints import start_file
    from udamlf.runs.log import ending
    from udamlf.runs.plan import Request
    from udamlf.runs.runner import read_config, run_stage
    from udamlf.runs.tracker import Tracker
    from udamlf.stages.stage import stage

    try:
        stop.check()
        follow_launcher()
        words = tuple(text for part in overrides for text in _words(part))
        request = Request(**fields, overrides=words, start=start_file(start))
        ids = _named_runs(inputs)
        if name != "main" and (ids or config or not stage(name).needs_inputs):
            configure = request.resolve if config is None else partial(read_config, config)
            run_stage(name, configure, f"{request.method}-s{request.seed}", round, ids, stop)
            return
        from udamlf.runs.chain import run_chain

        # Without inputs these run a method from its warm-up to its table, others their chain up to them.
        whole = name in ("main", "self_train", "evaluate")
        requests, last_step = (request.compared(control=control), None) if whole else ([request], (name, round))
        click.echo(run_chain(requests, stop, env_manager, adopted, last_step)[1])
    except UserError as error:
        if LAUNCHER not in os.environ or not hasattr(error, "__notes__"):
            raise
        sys.exit(EXIT_USER_ERROR)  # recorded: the chain, which waits for it, reads it in the run and tells it
    except KeyboardInterrupt:
        if adopted:  # the `mlflow run` that would close it may be gone, the store too
            with suppress(UserError), ending(Tracker.connect(), adopted):
                raise
        raise


def _named_runs(text: str) -> dict[str, str]:
    """``start=<run id> labels=<run id>`` as a mapping; a bare run id is the training to evaluate."""
    return dict(part.split("=", 1) if "=" in part else ["training", part] for part in _words(text))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"{text!r}: {error}", "words separated by spaces, with both quotes") from error


def entry(name: str) -> None:
    """Run an entry point of the MLproject with the parameters of the command line; an empty one is not passed on."""
    words = sys.argv[1:]
    pairs = zip(words[::2], [*words[1::2], ""], strict=False)
    guarded(_entry, [name, *(text for pair in pairs if pair[1] for text in pair)])
