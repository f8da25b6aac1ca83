"""Progress of a training: a bar in a terminal, a metrics journal always."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from udamlf.stages.runner import Job


class Progress:
    """Shows loss, images per second and the time left; quiet when the output is no terminal.

    Used as a context manager; ``update`` also hands the numbers to the run.
    """

    def __init__(self, job: Job, steps: int) -> None:
        self.run = job.run
        console = Console(stderr=True)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        label = f"{job.config.method.name} round {job.round}" if job.round else "warm-up"
        self.task = self.bar.add_task(label, total=steps, numbers="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def update(self, metrics: dict[str, float], step: int) -> None:
        """Show and record the metrics of the steps up to ``step``."""
        shown = {k.removeprefix("train/"): v for k, v in metrics.items() if k.startswith("train/")}
        speed = shown.pop("images_per_s", 0.0)
        numbers = " ".join(f"{name} {value:.3f}" for name, value in shown.items()) + f" {speed:.0f} img/s"
        self.bar.update(self.task, completed=step, numbers=numbers)
        self.run.log_metrics(metrics, step)
