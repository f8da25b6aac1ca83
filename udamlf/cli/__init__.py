"""The command line. Each command is a few lines; what it does lies elsewhere and is imported when it is needed, so
that ``udamlf --help`` answers at once."""

import logging
import os
import sys
from typing import NoReturn

import click

from udamlf.cli import chains, results, store
from udamlf.cli.options import EXIT_SIGNAL, EXIT_USER_ERROR
from udamlf.common.errors import UserError
from udamlf.runs.launch import LAUNCHER
from udamlf.runs.signals import StopFlag


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Self-training methods for domain adaptation of semantic segmentation, compared in MLflow."""


for command in (*chains.COMMANDS, *results.COMMANDS, *store.COMMANDS):
    cli.add_command(command)


def guarded(command: click.Command, arguments: list[str] | None) -> None:
    """Run a command; bad input is one message on stderr and exit code 2, a signal ends like an unhandled one."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("udamlf").setLevel(logging.INFO)
    logging.getLogger("mlflow.projects").setLevel(logging.WARNING)
    try:
        command.main(args=arguments, prog_name="udamlf", standalone_mode=False)
    except UserError as error:
        _fail(error)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        if LAUNCHER not in os.environ:  # who launched this process says it
            click.echo("Interrupted; run the same command to resume.", err=True)
        sys.exit(EXIT_SIGNAL + 2)
    except OSError as error:  # of a place that is full, gone or forbidden, and that nothing else explained
        sys.stdout = sys.stderr  # a full one would be tried again at the end, and make the exit code 120
        _fail(UserError(str(error), "an existing, writable path"))
    except Exception as error:
        if type(error).__module__ != "mlflow.exceptions":
            raise
        # A store says what ours never does where it was emptied or exchanged while the command worked.
        _fail(UserError(f"the tracking store: {error}", "the store that was there when the command began"))


def _fail(error: UserError) -> NoReturn:
    click.echo(f"Error: {error}", err=True)
    sys.exit(EXIT_USER_ERROR)


def main() -> None:
    """The console script."""
    stop = StopFlag().install()
    try:
        guarded(cli, None)
    except Exception:  # an import that is interrupted may raise anything
        if not stop.signals:
            raise
        sys.exit(EXIT_SIGNAL + 2)
