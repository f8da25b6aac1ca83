"""benchmarks/gpu.py runs to its end without mlflow; what it says of a resumed training holds on a CPU too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_part_is_measured_without_mlflow(tmp_path: Path) -> None:
    """Tiny sizes: each part has rows without an error, the table shows them, and a training that was killed and went on
    has the weights of an undisturbed one."""
    (tmp_path / "mlflow.py").write_text("raise ImportError('there is no mlflow here')")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [
        sys.executable,
        ROOT / "benchmarks" / "gpu.py",
        "--tiny",
        "--out",
        tmp_path / "gpu.json",
        "--minutes",
        "30",
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads((tmp_path / "gpu.json").read_text())
    parts = ("methods", "steps", "losses", "resume", "frames", "memory")
    assert all(found[part] and not any("error" in row for row in found[part]) for part in parts)
    assert found["resume"] == [{"steps": 6, "killed_at": 3, "was_killed": True, "bit_identical": True}]
    assert {row["relative"] for row in found["losses"]} == {0.0}
    assert all(f"## {part}" in (tmp_path / "gpu.md").read_text() for part in parts)
