"""Options that several commands and the entry points share."""

import os
from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from udamlf.runs.launch import LOCAL, MANAGERS

DATA_ROOT = "Folder that holds the data sets; default: the embedded miniature."
EXIT_USER_ERROR, EXIT_SIGNAL = 2, 128
manager = click.option("--env-manager", type=click.Choice(MANAGERS), default=LOCAL, show_default=True)


def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of the shipped configurations, in a shell, for a parameter scenario, method or profile."""
    from udamlf.config.compose import available

    return [name for name in available(f"{parameter.name}s") if name.startswith(incomplete)]


def _measure(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:  # MLflow's own switch, which stages inherit
        os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "true"


system_metrics = click.option("--system-metrics", is_flag=True, expose_value=False, callback=_measure,
                              help="Also record the machine's load, every ten seconds; needs psutil.")  # fmt: skip
override = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                        help="Override a configuration value.")  # fmt: skip
recipe = click.option("--recipe", type=click.Choice(("adapted", "published")), default="adapted", show_default=True,
                      help="published: the publication's values; adapted: tuned for the profile.")  # fmt: skip
only_scenario = click.option("--scenario", help="Only this scenario: a name, or its file.")
training_run = click.option("--run-id", default="", help="A training's run, or a chain: its last training.")


def options(*listed: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that gives a command these options."""
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(listed), command)


budget_options = options(
    recipe,
    click.option("--profile", default="", shell_complete=complete,
                 help="How much is computed: a name, or a file; default: the scenario's."),
    click.option("--rounds", type=int, help="Number of self-training rounds; default: the method's."),
    click.option("--data-root", help=DATA_ROOT),
    click.option("--start", default="", help="A released checkpoint file, or a run that imported one, as warm-up."),
    override,
)  # fmt: skip
"""What a sweep's chains have in common."""
request_options = options(
    click.option("--scenario", required=True, shell_complete=complete,
                 help="Source and target: a name in configs/scenarios, or a file."),
    click.option("--method", default="iast", show_default=True, shell_complete=complete,
                 help="A name in configs/methods, or a YAML file; `udamlf methods` lists them."),
    click.option("--of", default="", metavar="METHOD",
                 help="With --method control, or a baseline: the method that it is matched to."),
    click.option("--seed", type=int, default=0, show_default=True, help="0 or more."),
    budget_options,
)  # fmt: skip
"""The options that say what is computed: the fields of ``runs.plan.Request``."""
