"""MLflow's server of a store, as a process beside this one."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from udamlf.common.errors import UserError
from udamlf.runs.launch import end_with_parent


@contextmanager
def serving(uri: str, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server of a store, once it answers, in its light form: 2 processes, not 15 (and faster on 2 cores). It
    ends with this process, however that ends. UserError: the port is in use, or it ended before it answered."""
    with socket.socket() as probe:
        try:
            taken = probe.connect_ex((host, port)) == 0
        except OSError as error:
            raise UserError(f"--host {host}: {error}", "a name or an IPv4 address of this machine") from error
        if taken:
            raise UserError(f"port {port} of {host} is in use", "a free port", f"--port {port + 1}")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", host, "--port", str(port)]
    changes = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": uri}
    # The server has its own store; this variable would send its processes back to themselves.
    variables = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with subprocess.Popen(command, env={**variables, **changes}, preexec_fn=end_with_parent) as server:
        try:
            answers = False
            while not answers:
                with suppress(OSError), urllib.request.urlopen(f"http://{host}:{port}/health", timeout=5) as reply:
                    answers = reply.status == 200
                if server.poll() is not None:
                    message = f"the server ended with code {server.returncode} before it answered"
                    raise UserError(message, "an address of this machine, and a store of this mlflow")
                time.sleep(0.2)
            yield server
        finally:
            server.terminate()
