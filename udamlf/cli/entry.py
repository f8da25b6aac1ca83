"""The entry points of the MLproject: their parameters are options of one command."""

import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from udamlf.cli import guarded
from udamlf.cli.options import request_options
from udamlf.common.errors import UserError
from udamlf.runs.launch import LOCAL, MANAGERS, StopFlag, follow_launcher

WHOLE_CHAIN = ("main", "self_train", "evaluate")
"""Entry points that, without inputs, run a method from its warm-up to its table."""


@click.command()
@request_options
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--round", type=int)
@click.option("--inputs", default="")
@click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL)
@click.option("--control", "with_control", type=click.Choice(("true", "false")), default="false")
@click.argument("name")
def _entry(
    name: str, config: Path | None, round: int | None, inputs: str, env_manager: str, with_control: str,
    overrides: tuple[str, ...], start: str, **fields: Any,
) -> None:  # fmt: skip
    stop = StopFlag().install()
    follow_launcher()
    from udamlf.runs.checkpoints import start_file
    from udamlf.runs.plan import CONTROL, Request
    from udamlf.runs.runner import read_config, run_stage
    from udamlf.stages.stage import stage

    words = tuple(text for part in overrides for text in _words(part))
    request = Request(**fields, overrides=words, start=start_file(start))
    ids = _named_runs(inputs)
    if name != "main" and (ids or config or not stage(name).needs_inputs):
        configure = request.resolve if config is None else partial(read_config, config)
        run_stage(name, configure, f"{request.method}-s{request.seed}", round, ids, stop)
        return
    from udamlf.runs.chain import REFERENCES, run_chain

    last_step = None if name in WHOLE_CHAIN else (name, round)
    adopted = os.environ.get("MLFLOW_RUN_ID")
    others = (*REFERENCES, CONTROL) if with_control == "true" else REFERENCES
    click.echo(run_chain(request, stop, env_manager, others, adopted, last_step)[1])


def _named_runs(text: str) -> dict[str, str]:
    """``start=<run id> labels=<run id>`` as a mapping; a bare run id is the training to evaluate."""
    pairs = [part.split("=", 1) if "=" in part else ["training", part] for part in _words(text)]
    return {name: run_id for name, run_id in pairs}


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
