"""The page that compares the whole chains of a table, as MLflow keeps a shared view: runs, columns and charts.

MLflow's page reads it from a tag of the experiment, ``mlflow.sharedViewState.<name>``, which the address names; there
is no other interface to it. The keys are those of MLflow 3.17, found by trying in a browser."""

import json
from collections.abc import Mapping

from udamlf.config.labels import LabelSpace
from udamlf.report.comparison import DATA, finished

GAIN = "gain/"
"""How the metrics of what a chain gained begin; ``source_only`` or ``control`` follows."""
_TAGS = {"method": 120, "recipe": 85, "seed": 55}  # width of the column, pixels


def alike(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that the whole chains of one table share, from those of one of them."""
    return finished(tags["scenario"]) | {name: tags[name] for name in ("profile", "data", "split", DATA)}


def name(tags: Mapping[str, str]) -> str:
    """Of the view of a chain's table."""
    return "-".join([tags["scenario"], tags["profile"], tags["split"], tags[DATA][:8]])


def shared_view(tags: Mapping[str, str], space: LabelSpace) -> str:
    """The view of a chain's table as MLflow's JSON: the best first; method, seed, mIoU, gains and classes as columns;
    mIoU over rounds as the first chart."""
    conditions = [f"tags.`{key}` = '{value}'" for key, value in alike(tags).items()]
    metrics = ["miou", f"{GAIN}source_only", f"{GAIN}control", *(f"iou/{each}" for each in space.classes)]
    widths = {"attributes.`Run Name`": 400, **{f"tags.`{key}`": width for key, width in _TAGS.items()}}
    widths |= {f"metrics.`{metric}`": max(85, 9 * len(metric)) for metric in metrics}
    chart = {"type": "LINE", "uuid": "miou", "metricKey": "miou", "metricSectionId": "first", "lineSmoothness": 0}
    view = {
        "searchFilter": " and ".join([*conditions, "attributes.status = 'FINISHED'"]),
        "orderByKey": "metrics.`miou`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(widths),
        "columnOrder": list(widths),
        "columnWidths": widths,
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunSections": [
            {"uuid": "first", "name": "mIoU over rounds", "display": True, "isReordered": True, "columns": 1}
        ],
        "compareRunCharts": [chart],
        "isAccordionReordered": True,
    }
    return json.dumps(view)
