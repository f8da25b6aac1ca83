"""Released checkpoints as tracked runs: imported once, in this process."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError
from udamlf.common.files import file_lock
from udamlf.config.schema import Config
from udamlf.data.splits import ScenarioData
from udamlf.runs.launch import StopFlag
from udamlf.runs.plan import Request, data_root, key_of, key_parts
from udamlf.runs.runner import recorded_config, run_stage
from udamlf.runs.tracker import Tracker
from udamlf.stages.stage import Input

STAGE = "import_checkpoint"


def import_file(
    file: str, scenario: str, profile: str, folder: str | None, stop: StopFlag
) -> tuple[Input, Config, dict[str, Any]]:
    """The run of a released file in a scenario's label space, made if there is none yet; the configuration; the report
    of what was imported. UserError: the file is refused; no run is then made."""
    config = Request(scenario, "source_only", profile, data_root=folder, start=file).resolve()  # no rounds
    tracker, data = Tracker.connect(), ScenarioData(config, data_root(config, ()))
    key = key_of(key_parts(config, STAGE, 0, {}, data.digest))
    with file_lock(tracker.work / "locks" / key, STAGE):
        imported = tracker.finished(key)
        if imported is None:
            imported = tracker.fetch(run_stage(STAGE, lambda: config, f"{Path(file).name},", 0, {}, stop))
    return imported, config, json.loads((imported.path / "import.json").read_text(encoding="utf-8"))


def start_file(start: str) -> str:
    """The file that ``--start`` names: itself, or by the run that imported it."""
    if not start or Path(start).expanduser().is_file():
        return start
    try:
        tracker = Tracker.existing()
        tracker.fetch(start)
    except UserError as error:
        raise UserError(f"--start {start}: no such file, and no finished run", "a released checkpoint") from error
    file = recorded_config(tracker, start).start
    if file is None or not Path(file).is_file():
        problem = "the run imported no file" if file is None else f"its file {file} is no longer there"
        raise UserError(f"--start {start}: {problem}", f"a file, or a run of stage {STAGE} whose file is there")
    return file


def summary(report: dict[str, Any], run_id: str) -> str:
    """The report as text: numbers of tensors, and the names of those that were not used by their first words."""

    def counted(names: list[str]) -> str:
        groups = Counter(name.rpartition(".")[2] if "num_batches" in name else name.partition(".")[0] for name in names)
        shown = ", ".join(f"{group} ({count})" if count > 1 else group for group, count in groups.items())
        return f"{len(names)} tensors or entries: {shown}" if names else "0"

    network, classes = report["network"], report["classes"]
    options = ", ".join(f"{name} {value}" for name, value in network.items() if name != "name")
    kept = f", of which {len(classes)} are kept: {', '.join(classes)}" if len(classes) < report["outputs"] else ""
    lines = {
        "project": report["project"],
        "network": f"{network['name']} ({options}), {report['outputs']} outputs{kept}",
        "used": f"{len(report['used'])} tensors",
        "ignored": counted(report["ignored"]),
        "missing": counted(report["missing"]),
        "sha256": report["sha256"],
        "run": run_id,
    }
    return "\n".join(f"{name:8} {text}" for name, text in lines.items())
