"""A matrix of chains, scenarios x methods x seeds: several at once, as processes here or as tasks of a Ray cluster."""

import logging
import os
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlparse

from rich.console import Console
from rich.live import Live
from rich.table import Table

from udamlf.common.errors import UserError
from udamlf.config.references import CONTROL, SOURCE_ONLY
from udamlf.config.schema import Config
from udamlf.runs.launch import PROJECT_ROOT, RunCommand, gpus, run_command
from udamlf.runs.plan import Request
from udamlf.runs.reuse import finished_chain, survey
from udamlf.runs.tags import KEY
from udamlf.runs.tracker import Tracker

WAITING, RUNNING, DONE, REUSED, FAILED = "waiting", "running", "done", "reused", "failed"
_COLOURS = {RUNNING: "yellow", DONE: "green", FAILED: "red"}
_NOT_SENT = ["/tests", "/docs", "/benchmarks", "/.git"]
_JOIN = "ray start --head; for a cluster with token authentication: export RAY_AUTH_MODE=token"


@dataclass
class Cell:
    """A chain of the matrix, how it stands, and the key of the training that it begins with."""

    request: Request
    config: Config
    warmup: str
    state: str = WAITING
    note: str = ""
    miou: float | None = None
    took_s: float = 0.0

    def look(self, tracker: Tracker, state: str) -> None:
        """Where the store has the whole chain, it is in this ``state``."""
        parent = finished_chain(self.config, tracker)
        if parent is not None:
            self.state, self.note = state, f"run {parent.info.run_id}"
            self.miou = parent.data.metrics.get("miou")

    def texts(self) -> list[str]:
        """Cells of the table."""
        score, took = "" if self.miou is None else f"{self.miou:.1f}", f"{self.took_s:.0f} s" if self.took_s else ""
        return [self.request.title(), self.state, score, took, self.note]


def matrix(wanted: Sequence[Request], references: bool, controls: bool) -> list[Cell]:
    """The chains of a sweep, references first, one that several have in common once. What is set for methods is not for
    a baseline among them. UserError: one that cannot be run."""
    requests, adapting = [], []
    for request in wanted:
        alone = request.beside(request.method)
        adapts = alone.configuration().method.role == "method"
        requests.append(request if adapts else alone)
        adapting += [request] if adapts else []
    every = [request.reference(SOURCE_ONLY) for request in requests if references]
    every += [request.reference(CONTROL) for request in adapting if controls]
    unique: dict[tuple[str, ...], Cell] = {}
    for request in (*every, *requests):
        config = request.resolve()
        keys = tuple(planned.key for planned in survey(config, None))
        unique.setdefault(keys, Cell(request, config, keys[0]))
    return list(unique.values())


class Sweep:
    """Runs chains in slots and shows how they stand: a live table in a terminal, else a line at every start and end."""

    def __init__(self, cells: Sequence[Cell], tracker: Tracker, options: Sequence[str]) -> None:
        self.cells, self.tracker, self.options, self.console = cells, tracker, options, Console(markup=False)
        self._choice, self._stop = threading.Lock(), threading.Event()

    def run(self, slots: int, run: RunCommand) -> None:
        """Do what is missing. UserError at the end: some chains have failed, the others are whole."""
        for cell in self.cells:
            cell.look(self.tracker, REUSED)
        terminal = self.console.is_terminal
        shown = Live(get_renderable=self.table, console=self.console) if terminal else nullcontext()
        with shown, ThreadPoolExecutor(slots) as pool:
            try:
                workers = [pool.submit(self._work, slot, run) for slot in range(slots)]
                while wait(workers, timeout=0.5).not_done:
                    pass
            finally:
                self._stop.set()
        if not terminal:
            Console(width=200, markup=False).print(self.table())
        for worker in workers:
            worker.result()
        failed = [cell.state for cell in self.cells].count(FAILED)
        if failed:
            message = f"{failed} of {len(self.cells)} chains failed"
            raise UserError(message, "", "the same command again: it does what is missing")

    def _work(self, slot: int, run: RunCommand) -> None:
        """What a slot does: one chain after the other."""
        while (cell := self._next()) is not None:
            arguments = [*shlex.split(cell.request.command())[1:], "--no-references", *self.options]
            self._tell(cell)
            code, text = run(arguments, slot, partial(self._note, cell, time.monotonic()))
            if self._stop.is_set():
                return
            if code:  # its error message, else the last line that it printed
                _, told, reason = f"\n{text}".rpartition("\nError: ")
                cell.state, cell.note = FAILED, " ".join(reason.splitlines()[0 if told else -1 :])
            else:
                cell.state, cell.note = DONE, ""
                cell.look(self.tracker, DONE)
            self._tell(cell)

    def _next(self) -> Cell | None:
        """The first waiting chain whose warm-up no running one is making, else the first."""
        with self._choice:
            running = [cell for cell in self.cells if cell.state == RUNNING]
            waiting = [cell for cell in self.cells if cell.state == WAITING]
            if not waiting or self._stop.is_set():
                return None
            busy = {c.warmup for c in running if not self.tracker.search({KEY: c.warmup}, most=1)}
            cell = next((cell for cell in waiting if cell.warmup not in busy), waiting[0])
            cell.state = RUNNING
            return cell

    def _note(self, cell: Cell, began: float, text: str) -> bool:
        """Keep the last line of what a chain has printed; whether it is to stop."""
        cell.took_s, cell.note = time.monotonic() - began, (text.splitlines() or [""])[-1]
        return self._stop.is_set()

    def _tell(self, cell: Cell) -> None:
        if not self.console.is_terminal:
            over = sum(cell.state not in (WAITING, RUNNING) for cell in self.cells)
            print(f"{over}/{len(self.cells)}", *filter(None, cell.texts()), flush=True)

    def table(self) -> Table:
        """How every chain stands; at the end what failed, and why."""
        table = Table("chain", "state", "mIoU", "time", "")
        for cell in sorted(self.cells, key=lambda cell: cell.state == FAILED):
            table.add_row(*cell.texts(), style=_COLOURS.get(cell.state))
        return table


def ray_slots(address: str, jobs: int | None, uri: str) -> tuple[int, RunCommand]:
    """How many chains run at once on a Ray cluster, and what runs one. ``address``: as ``ray.init`` takes it; ``local``
    starts Ray here. UserError: it is not there, has nothing to run on, or its machines could not reach the store."""
    if address != "local" and not uri.startswith("http"):
        message = f"--ray {address} with the store {uri}: other machines cannot open it"
        raise UserError(message, "an HTTP store in MLFLOW_TRACKING_URI", "mlflow server --host 0.0.0.0")
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray: Ray is not installed", "the extra `ray`", "pip install -e '.[ray]'") from error
    options: dict[str, Any] = {"num_gpus": len(gpus()), "include_dashboard": False, "object_store_memory": 100_000_000}
    if address != "local":  # machines of a cluster get this code with the task; they must have its dependencies
        options = {"runtime_env": {"working_dir": str(PROJECT_ROOT), "excludes": _NOT_SENT}}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray cluster at {address}: {error}", "its address", _JOIN) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    resources = {kind: int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU")}
    if len(nodes) > 1 and urlparse(uri).hostname in ("127.0.0.1", "localhost"):
        raise UserError(f"the store {uri} for a cluster of {len(nodes)} machines", "an address that all of them reach")
    if not resources["CPU"]:
        raise UserError(f"the Ray cluster at {address} has {resources}", "1 CPU a chain, and a GPU where there is any")
    slots = min(jobs or resources["CPU"], resources["GPU"] or resources["CPU"])
    # No more than one machine has: Ray waits for ever for what there is not.
    cpus = 1 if resources["GPU"] else min(resources["CPU"] // slots, max(int(node.get("CPU", 0)) for node in nodes))
    # A chain whose machine is lost is tried again on another; what it had finished is in the store.
    task = ray.remote(num_gpus=int(resources["GPU"] > 0), num_cpus=cpus, max_retries=2)(run_command)
    passed = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW_") and k != "MLFLOW_RUN_ID"}
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, resources["CPU"] // slots)))
    changes = {**passed, "MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": threads}

    def run(arguments: Sequence[str], slot: int, watch: Callable[[str], bool]) -> tuple[int, str]:
        reference, stopped = task.remote(list(arguments), changes), False
        while not ray.wait([reference], timeout=0.5)[0]:
            if not stopped and watch("on the cluster"):
                stopped = True
                ray.cancel(reference)
        try:
            return ray.get(reference)
        except ray.exceptions.RayError as error:
            return 1, f"Error: Ray: {error}"

    return slots, run
