"""What MLflow shows of whole chains: a page for each table; of each its gains, its numbers, and figures."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from udamlf.common.errors import masked
from udamlf.config.labels import LabelSpace, find_space
from udamlf.config.schema import TARGET
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import ScenarioData
from udamlf.report import KINDS, comparison
from udamlf.report.comparison import ABSENT, COMPLETE, CONTROL, DATA, SCORED, SOURCE_ONLY, finished
from udamlf.report.figures import grid
from udamlf.runs.log import RunLog
from udamlf.runs.plan import Step
from udamlf.runs.tags import CHAIN, COMMAND, DESCRIPTION, step_tag
from udamlf.runs.tracker import Tracker
from udamlf.stages.stage import Input

_WIDTHS = {"method": 120, "recipe": 85, "seed": 55}  # of the columns of tags, pixels
_TITLES = {SOURCE_ONLY: "over source_only", CONTROL: "over its control"}
Others = dict[str, Any]  # ``source_only`` and ``control`` -> the run that a gain is measured from, or why there is none


def address(tracker: Tracker, base: str = "", scenario: str | None = None, like: dict[str, str] | None = None) -> str:
    """Addresses of the MLflow pages that compare whole chains, a line for each table (of a scenario, or of a chain with
    the tags ``like``), newest first; of all chains where there is none, or some are running. MLflow reads a page from
    a tag of the experiment."""
    root = masked(base or (tracker.uri if tracker.uri.startswith("http") else "http://127.0.0.1:5000")).rstrip("/")
    root += f"/#/experiments/{tracker.experiment_id}/runs?workflowType=machine_learning"
    tables: dict[str, dict[str, str]] = {}
    for run in tracker.search(_alike(like) if like else finished(scenario)):
        tags = run.data.tags
        if run.info.experiment_id == tracker.experiment_id and DATA in tags:
            tables.setdefault("-".join([tags["scenario"], tags["profile"], tags["split"], tags[DATA][:8]]), tags)
    for name, tags in tables.items():
        state = _view(tags, find_space(tags["label_space"]))
        tracker.client.set_experiment_tag(tracker.experiment_id, f"mlflow.sharedViewState.{name}", state)
    running = quote(f"tags.stage = '{CHAIN}'", safe="")
    pages = [f"{root}&viewStateShareKey={quote(name)}" for name in tables]
    if not tables or (not like and tracker.search({"stage": CHAIN}, "RUNNING", most=1)):
        pages.append(f"{root}&searchFilter={running}")
    return "\n".join(pages)


def _alike(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that the whole chains of one table share, from those of one of them."""
    return finished(tags["scenario"]) | {name: tags[name] for name in ("profile", "data", "split", DATA)}


def _view(tags: Mapping[str, str], space: LabelSpace) -> str:
    """A page as MLflow keeps a shared view, of the whole chains of a table: the best first; method, seed, mIoU, gains,
    pseudo-label quality and classes as columns; mIoU over rounds as the first chart. The keys are those of MLflow 3.17,
    found by trying."""
    conditions = [f"tags.`{key}` = '{value}'" for key, value in _alike(tags).items()]
    metrics = ["miou", "gain/source_only", "gain/control", f"source/miou/{space.headline}"]
    metrics += ["pl/coverage", "pl/precision", *(f"iou/{each}" for each in space.classes)]
    widths = {"attributes.`Run Name`": 400, **{f"tags.`{key}`": width for key, width in _WIDTHS.items()}}
    widths |= {f"metrics.`{metric}`": max(85, 9 * len(metric)) for metric in metrics}
    chart = {"type": "LINE", "uuid": "miou", "metricKey": "miou", "metricSectionId": "first", "lineSmoothness": 0}
    section = {"uuid": "first", "name": "mIoU over rounds", "display": True, "isReordered": True, "columns": 1}
    view = {
        "searchFilter": " and ".join([*conditions, "attributes.status = 'FINISHED'"]),
        "orderByKey": "metrics.`miou`", "orderByAsc": False, "startTime": "ALL", "lifecycleFilter": "Active",
        "datasetsFilter": [], "modelVersionFilter": "All Runs", "runsHiddenMode": "FIRST_20_RUNS",
        "selectedColumns": list(widths), "columnOrder": list(widths), "columnWidths": widths,
        "compareRunSections": [section], "compareRunCharts": [chart], "isAccordionReordered": True,
    }  # fmt: skip
    return json.dumps(view)


def report(parent: RunLog, data: ScenarioData, results: Mapping[Step, Input]) -> None:
    """Show a chain that has just become whole, and the others of its table anew: their gains may be over this one."""
    parent.complete()  # all of it is made of what MLflow has
    tracker, run = parent.tracker, parent.tracker.get(parent.run_id)
    runs = [r for r in tracker.search(_alike(run.data.tags), None) if r.info.status in ("RUNNING", "FINISHED")]
    runs = [r for r in runs if r.info.experiment_id == run.info.experiment_id]
    others = {shown.info.run_id: gain for shown, gain in _shown(tracker, runs)}
    for each in runs:
        if each.info.run_id not in others:  # it has been run again, or the configuration files have changed
            tracker.client.set_tag(each.info.run_id, COMPLETE, "superseded")
    _figures(parent, data, results, others.get(parent.run_id, {}).get(SOURCE_ONLY, ABSENT))


def _shown(tracker: Tracker, runs: Sequence[Any]) -> Iterator[tuple[Any, Others]]:
    """The runs, newest first, that are in a row of their table, with what they are measured from, seed by seed; their
    gains and pages are sent, where they are not what MLflow has."""
    by_id, rows = {run.info.run_id: run for run in runs}, comparison.rows(runs)
    for row in rows:
        group = [other for other in rows if other.space == row.space]
        measured = comparison.baselines(row, group)
        for seed, run_id in zip(row.seeds, row.run_ids, strict=True):
            run, others = by_id[run_id], Others()
            for name, other in measured.items():
                ids = {} if isinstance(other, str) else dict(zip(other.seeds, other.run_ids, strict=True))
                others[name] = by_id.get(ids.get(seed), other if isinstance(other, str) else "no run of this seed")
            headline = f"miou/{row.space.headline}"
            gains = {f"gain/{name}": _gain(headline, run, other) for name, other in others.items()}
            gains = {name: gain for name, gain in gains.items() if gain not in (None, run.data.metrics.get(name))}
            tags, page = run.data.tags, {DESCRIPTION: _page(run, row.space, others)}
            if gains or not page.items() <= tags.items():
                stamp = {"step": int(tags[SCORED]), "time_ms": int(1000 * time.time())}
                tracker.send(run_id, [{"metrics": gains, **stamp, "tags": page}])
            yield run, others


def _gain(metric: str, run: Any, other: Any) -> float | None:
    """Of one metric, in percent points to two decimals; None where one of the two has none."""
    if isinstance(other, str):
        return None
    gain = round(run.data.metrics.get(metric, np.nan) - other.data.metrics.get(metric, np.nan), 2)
    return None if np.isnan(gain) else gain


def _page(run: Any, space: LabelSpace, others: Others) -> str:
    """Markdown for the description of a run, which MLflow draws in a narrow column."""
    tags, metrics = run.data.tags, run.data.metrics
    method = f"{tags['method']} ({tags['recipe']})" if tags.get("recipe") else tags["method"]
    where = f"{tags['scenario']} {KINDS[tags['data']]}, split {tags['split']}, profile {tags['profile']}"
    lines = [f"## {metrics['miou']:.1f} mIoU-{space.headline}", f"{where}, seed {tags['seed']}", ""]
    for name, other in others.items():
        gain, title = _gain(f"miou/{space.headline}", run, other), _TITLES[name]
        if gain is not None:
            lines.append(f"- **{gain:+.1f}** {title} ({other.data.metrics['miou']:.1f})")
        elif other != ABSENT:
            lines.append(f"- {title}: {other}")
    # The address is relative to MLflow's page, whatever the server is called.
    lines += ["", f"![rounds](get-artifact?path=figures/rounds.png&run_uuid={run.info.run_id})", ""]
    lines += [f"| IoU, % | {method} | {' | '.join(_TITLES.values())} |", "| --- | ---: | ---: | ---: |"]
    named = {f"mIoU {name}": f"miou/{name}" for name in space.subsets} | {n: f"iou/{n}" for n in space.classes}
    for title, metric in {**named, "mIoU at home": f"source/miou/{space.headline}"}.items():
        gains = [_gain(metric, run, other) for other in others.values()]
        cells = [f"{metrics.get(metric, np.nan):.1f}", *(ABSENT if gain is None else f"{gain:+.1f}" for gain in gains)]
        lines.append(f"| {title} | {' | '.join(cells)} |".replace("nan", ABSENT))
    lines += [f"| {title} | not in source | | |" for title in space.not_in_source]
    return "\n".join([*lines, "", f"`{tags.get(COMMAND, '')}`", ""])


def _figures(parent: RunLog, data: ScenarioData, results: Mapping[Step, Input], source_only: Any) -> None:
    """Upload the last evaluation's figures, and its first image with predictions and pseudo-labels over the rounds."""
    scored: dict[str, Path] = {}
    labelled: dict[str, PseudoLabels] = {}
    if not isinstance(source_only, str):
        tags = source_only.data.tags
        scored[SOURCE_ONLY] = parent.tracker.fetch(tags[step_tag("evaluate", int(tags[SCORED]))]).path
    for step, result in results.items():
        title = f"round {step.round}" if step.round else "warm-up"
        if step.stage == "evaluate" and result.path not in scored.values():
            scored[title] = result.path
        elif step.stage == "pseudo_label":
            labelled[title] = PseudoLabels(result.path / "pseudo_labels")
    folders = {title: path / "examples" / data.config.report_split for title, path in scored.items()}
    last = [*folders.values()][-1]
    files = {"image": last / "1-image.jpeg", "truth": last / "1-truth.png"}
    files |= {title: folder / "1-prediction.png" for title, folder in folders.items()}
    pictures: list[tuple[str, Any]] = [(title, np.asarray(Image.open(file))) for title, file in files.items()]
    if labelled:
        name = next(iter(labelled.values())).names[0]
        (frame,) = (frame for frame in data.samples(TARGET) if frame.name == name)
        pictures += [("", None)] * (-len(pictures) % 3)
        pictures += [("target image", data.dataset(TARGET).read_image(frame))]
        pictures += [(f"pseudo-labels, {k}", labels.label(name)) for k, labels in labelled.items() if name in labels]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rounds.png"
        heading = f"Rounds {KINDS[data.kind]}; black: not labelled"
        grid(heading, pictures, data.config.space, path, width=6)  # the width of MLflow's column
        for figure in (path, *sorted(([*scored.values()][-1] / "figures").glob("*.png"))):
            parent.log_file(figure, "figures")
