"""One self-contained page of a comparison: tables, interactive plots, pictures, and where every number comes from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from udamlf.common.errors import UserError
from udamlf.config.schema import TARGET
from udamlf.report.comparison import SOURCE_ONLY, Row, titled
from udamlf.report.figures import read_examples
from udamlf.report.plots import classes, curves, quality
from udamlf.report.tables import class_cells, cost_cells, summary_cells


class Origin(NamedTuple):
    """Where a parent run's numbers come from."""

    tags: Mapping[str, str]
    environment: Mapping[str, Any]  # of the last evaluation, as far as it is recorded
    evaluations: Mapping[int, Path]  # round -> folder with the artifacts of its evaluation


def page(title: str, rows: Sequence[Row], rounds: pd.DataFrame, origins: Mapping[str, Origin]) -> str:
    """HTML that needs no network; ``rounds``: see ``plots``. UserError: the extra that it is made with is missing."""
    try:
        from jinja2 import Environment, PackageLoader
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise UserError(f"a report needs {error.name}", "the extra `report`", "pip install -e '.[report]'") from error
    environment = Environment(loader=PackageLoader("udamlf.report", ""), autoescape=True)
    environment.policies["json.dumps_kwargs"] = {}  # the layers stay in their order
    parts = [
        {
            "heading": heading,
            "rows": group,
            "tables": [summary_cells(group), class_cells(group, SOURCE_ONLY), cost_cells(group)],
            "charts": _charts(heading, group, rounds),
            "pictures": _pictures(group, origins),
            "classes": zip(group[0].space.classes, (bytes(rgb).hex() for rgb in group[0].space.palette), strict=True),
        }
        for heading, group in titled(rows)
    ]
    template = environment.get_template("page.html")
    return template.render(title=title, parts=parts, origins=origins, plotly=get_plotlyjs())


def _pictures(group: Sequence[Row], origins: Mapping[str, Origin]) -> dict[str, dict[str, dict[str, str]]]:
    """Title -> frame -> layer, image and truth first -> picture, of each row's first run."""
    scored, labelled = f"Predictions on {group[0].split}, last round", f"Pseudo-labels of {TARGET} over the rounds"
    frames: dict[str, dict[str, dict[str, str]]] = {scored: {}, labelled: {}}
    for row in group:
        for number, folder in (evaluations := origins[row.run_ids[0]].evaluations).items():
            layers = [(labelled, TARGET, "labels", f"{row.label(group)}, round {number}")]
            layers += [(scored, row.split, "prediction", row.label(group))] if number == max(evaluations) else []
            for title, split, name, label in layers:
                for frame, pictures in read_examples(folder / "examples" / split).items():
                    picture = pictures.pop(name)
                    frames[title].setdefault(frame, {"image": "", "truth": ""}).update({**pictures, label: picture})
    return frames


def _charts(heading: str, group: Sequence[Row], rounds: pd.DataFrame) -> list[str]:
    import plotly.express as px

    lines, labels = curves(group, rounds), quality(group, rounds)
    ends = {"y": "mean", "error_y": lines["high"] - lines["mean"], "color": "method", "labels": {"mean": "mIoU, %"}}
    figures = {
        "mIoU over the rounds, 95 % intervals": px.line(lines, x="round", markers=True, **ends).update_xaxes(dtick=1),
        "IoU per class, %": px.imshow(classes(group), text_auto=".0f", zmin=0, zmax=100, aspect="auto"),
    }
    if len(labels):
        moving = {"animation_frame": "round", "animation_group": "class", "color": "method", "text": "class"}
        quality_figure = px.scatter(labels, x="coverage", y="precision", range_x=(0, 105), range_y=(0, 105), **moving)
        figures["Pseudo-labels: coverage and precision of every class, %"] = quality_figure
    for title, figure in figures.items():
        figure.update_layout(title={"text": title, "subtitle": {"text": heading}}, template="plotly_white", height=500)
    return [figure.to_html(full_html=False, include_plotlyjs=False) for figure in figures.values()]
