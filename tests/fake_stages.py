"""A chain whose stages are no processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from udamlf.common.files import write_json
from udamlf.runs.log import ending
from udamlf.runs.tracker import Tracker


class FakeStages:
    """Stands for the processes: publishes a small file per stage, and counts."""

    def __init__(self, tracker: Tracker, folder: Path, act: Callable[[str], None] = lambda stage: None) -> None:
        self.tracker, self.folder, self.act = tracker, folder, act
        self.started: list[tuple[str, dict[str, str], str]] = []

    def __call__(self, stage: str, parameters: dict[str, str], run_id: str, experiment: str, manager: str) -> int:
        self.started.append((stage, parameters, run_id))
        with ending(self.tracker, run_id):
            self.act(stage)
            out = self.folder / run_id / "out"
            out.mkdir(parents=True)
            if stage == "evaluate":
                score = 50.0 + int(parameters["round"])
                per_class = {"road": score, "bus": None if score > 50 else 0.0}  # predicted in round 0 alone
                scores = {"miou/16": score, **{f"iou/{k}": v for k, v in per_class.items() if v is not None}}
                for name, value in scores.items():
                    self.tracker.client.log_metric(run_id, name, value)
                write_json(out / "evaluation" / "evaluation.json", scores)
            else:
                # What a real stage computes is a function of its inputs; so is this.
                write_json(out / "result.json", {k: v for k, v in parameters.items() if k != "inputs"})
            if stage == "pseudo_label":
                self.tracker.client.log_metric(run_id, "pl/coverage", 40.0 + int(parameters["round"]))
            self.tracker.publish(run_id, out)
        return 0

    @property
    def stages(self) -> list[str]:
        return [stage for stage, _, _ in self.started]
