"""Chains as tasks of a Ray cluster: one task is one chain, on one GPU, or on a share of the CPUs elsewhere."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlparse

from udamlf.common.errors import UserError
from udamlf.runs.launch import PROJECT_ROOT, RunCommand, gpus, run_command

_LEFT_OUT = ["/tests", "/docs", "/benchmarks", "/.git"]
_JOIN = "ray start --head; for a cluster with token authentication: export RAY_AUTH_MODE=token"


def ray_slots(address: str, jobs: int | None, uri: str) -> tuple[int, RunCommand]:
    """How many chains run at once, and what runs one. ``address``: as ``ray.init`` takes it; ``local`` starts Ray here.

    UserError: Ray is not installed or not there, has nothing to run on, or its machines could not reach the store."""
    if address != "local" and not uri.startswith("http"):
        message = f"--ray {address} with the store {uri}: other machines cannot open it"
        raise UserError(message, "an HTTP store in MLFLOW_TRACKING_URI", "mlflow server --host 0.0.0.0")
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray: Ray is not installed", "the extra `ray`", "pip install -e '.[ray]'") from error
    options: dict[str, Any] = {"num_gpus": len(gpus()), "include_dashboard": False, "object_store_memory": 100_000_000}
    if address != "local":  # machines of a cluster get this code with the task; they must have its dependencies
        options = {"runtime_env": {"working_dir": str(PROJECT_ROOT), "excludes": _LEFT_OUT}}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray cluster at {address}: {error}", "its address", _JOIN) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = {kind: int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU")}
    if len(nodes) > 1 and urlparse(uri).hostname in ("127.0.0.1", "localhost"):
        raise UserError(f"the store {uri} for a cluster of {len(nodes)} machines", "an address that all of them reach")
    if not found["CPU"]:
        raise UserError(f"the Ray cluster at {address} has {found}", "1 CPU a chain, and a GPU where there is any")
    slots = min(jobs or found["CPU"], found["GPU"] or found["CPU"])
    # No more than one machine has: Ray waits for ever for what there is not.
    cpus = 1 if found["GPU"] else min(found["CPU"] // slots, max(int(node.get("CPU", 0)) for node in nodes))
    # A chain whose machine is lost is tried again on another; what it had finished is in the store.
    task = ray.remote(num_gpus=int(found["GPU"] > 0), num_cpus=cpus, max_retries=2)(run_command)
    passed = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW_") and k != "MLFLOW_RUN_ID"}
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, found["CPU"] // slots)))
    changes = {**passed, "MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": threads}

    def run(arguments: Sequence[str], slot: int, watch: Callable[[str], bool]) -> tuple[int, str]:
        reference, stopped = task.remote(list(arguments), changes), False
        while not ray.wait([reference], timeout=0.5)[0]:
            if not stopped and watch("on the cluster"):
                stopped = True
                ray.cancel(reference)
        try:
            code, text = ray.get(reference)
        except ray.exceptions.RayError as error:
            return 1, f"Error: Ray: {error}"
        return code, text

    return slots, run
