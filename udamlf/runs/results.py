"""What a store holds, for who works in Python. What trains and draws is imported where it is used."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from udamlf.common import progress
from udamlf.common.errors import UserError, nearest
from udamlf.common.files import write_text
from udamlf.config.compose import available
from udamlf.config.parts import validated
from udamlf.report import comparison
from udamlf.report.comparison import Row
from udamlf.runs.log import ending
from udamlf.runs.plan import Request
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import output
from udamlf.runs.tags import step_runs
from udamlf.runs.tracker import Tracker


def compare(scenario: str | None = None, baseline: str = "", over: str = "seeds") -> pd.DataFrame:
    """The finished chains of the store, or those of a scenario, as ``udamlf compare`` shows them; columns:
    ``report.comparison.frame``. ``baseline``: method that differences are from (default: ``source_only`` and the
    control); ``over`` "worlds" pools generated worlds. UserError: no such scenario or baseline, or nothing finished."""
    rows = finished_rows(Tracker.existing(), scenario, baseline, over)
    if not rows:
        raise UserError(f"no finished chain of {scenario or 'any scenario'}", "at least one", "udamlf run")
    return comparison.frame(rows, baseline)


def run(
    scenario: str, method: str = "iast", *, references: bool = True, control: bool = False, **fields: Any
) -> dict[str, Any]:
    """Run a chain as ``udamlf run`` does, also ``source_only`` and ``adabn`` (``references``) and the matched control;
    ``fields``: further ones of ``runs.plan.Request``; ``overrides`` also as one text, or as a mapping of dotted keys.
    UserError: bad input, or a stage failed.

    Returns ``run_id`` of its parent run, ``scenario``, ``method``, ``seed``, ``split``, and in percent ``miou`` by
    subset, ``iou`` by class and ``source``, the mIoU on the source's held-out frames; None where it is undefined."""
    from udamlf.runs.chain import run_chain

    progress.show()
    request = _request(scenario=scenario, method=method, **fields)
    run_id, _ = run_chain(request.compared(references, control), StopFlag())
    (row,) = comparison.plain(comparison.rows([Tracker.existing().get(run_id)]))
    scores = {k: {name: v and v["mean"] for name, v in row[k].items()} for k in comparison.METRICS}
    named = {name: row[name] for name in ("scenario", "method", "split")}
    return {"run_id": run_id, **named, "seed": row["seeds"][0], **scores}


def _request(overrides: Any = None, **fields: Any) -> Request:
    """The request of a script, whose numbers may be texts, and texts paths."""
    if isinstance(overrides, Mapping):
        overrides = [f"{key}={_override_text(value)}" for key, value in overrides.items()]
    given: dict[str, Any] = {k: str(v) if isinstance(v, Path) else v for k, v in fields.items() if v is not None}
    request = Request(**given, overrides=(overrides,) if isinstance(overrides, str) else overrides or ())
    return validated(Request, vars(request), "udamlf.run")  # type: ignore[no-any-return]


def _override_text(value: Any) -> str:
    if isinstance(value, str | Path):
        return str(value)
    return json.dumps(value, default=lambda other: other.item() if hasattr(other, "item") else str(other))


def evaluate(run_id: str, **options: Any) -> dict[str, Any]:
    """Score the checkpoint of a training run: options, result and errors of ``runs.checkpoints.evaluate_run``."""
    from udamlf.runs.checkpoints import evaluate_run

    progress.show()
    return evaluate_run(run_id, StopFlag(), **options)[0]


def finished_rows(
    tracker: Tracker, scenario: str | None, baseline: str = "", over: str = "seeds", run_ids: Sequence[str] = ()
) -> list[Row]:
    """Rows of the finished chains, or of those with ``run_ids``. UserError: no such scenario, run or baseline."""
    if over not in comparison.OVER:
        raise UserError(f"over {over!r}", " or ".join(comparison.OVER))
    runs = tracker.search(comparison.finished(scenario))
    missing = set(run_ids) - {run.info.run_id for run in runs}
    if missing:
        message = f"no finished chain {', '.join(sorted(missing))} of {scenario}"
        raise UserError(message, "run ids of chains", "udamlf compare --format json lists them")
    rows = comparison.rows((run for run in runs if not run_ids or run.info.run_id in run_ids), over)
    if scenario and not rows and scenario not in (shipped := available("scenarios")):
        known = {*shipped, *(run.data.tags["scenario"] for run in tracker.search(comparison.finished()))}
        raise UserError(f"no finished chain of scenario {scenario!r}", "", nearest(scenario, sorted(known)))
    groups = [group for _, group in comparison.titled(rows)]
    names = {name for group in groups for row in group for name in (row.method, row.title, row.label(group))}
    if baseline and rows and baseline not in names:
        raise UserError(f"no finished chain of {baseline!r}", "", nearest(baseline, sorted(names)))
    return rows


def rounds(tracker: Tracker, rows: Sequence[Row]) -> pd.DataFrame:
    """A line for every parent run and round: ``run_id``, ``round``, and the metrics of the round's stages."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    for run_id in (run_id for row in rows for run_id in row.run_ids):
        for (_, number), stage_id in step_runs(tracker.get(run_id).data.tags).items():
            line = lines.setdefault((run_id, number), {"run_id": run_id, "round": number})
            line |= tracker.get(stage_id).data.metrics
    return pd.DataFrame(lines.values())


def report(scenario: str, out: Path, run_ids: Sequence[str] = ()) -> str:
    """Write the page of a scenario's finished chains, or of those with ``run_ids``, and log it with a run of stage
    "report"; its id. UserError: nothing is finished, the extra `report` is missing, or ``out`` is no HTML file."""
    from udamlf.report.page import Origin, page
    from udamlf.runs.environment import ENVIRONMENT

    def origin(run_id: str) -> Origin:
        tags = tracker.get(run_id).data.tags
        evaluations = {n: tracker.fetch(r).path for (stage, n), r in step_runs(tags).items() if stage == "evaluate"}
        file = evaluations[max(evaluations)] / ENVIRONMENT
        return Origin(tags, json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}, evaluations)

    out, tracker = output(out, ".html"), Tracker.existing()
    rows = finished_rows(tracker, scenario, run_ids=run_ids)
    if not rows:
        raise UserError(f"no finished chain of {scenario}", "at least one", f"udamlf run --scenario {scenario}")
    origins = {run_id: origin(run_id) for row in rows for run_id in row.run_ids}
    write_text(out, page(f"udamlf: {rows[0].scenario}", rows, rounds(tracker, rows), origins))
    report_id = tracker.create_run(f"report {rows[0].scenario}", {"stage": "report", "scenario": rows[0].scenario})
    with ending(tracker, report_id):
        tracker.client.log_artifact(report_id, str(out))
    return report_id
