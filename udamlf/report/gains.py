"""What a method gained: its headline mIoU seed by seed, over ``source_only`` and over the matched ``control``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from udamlf.report.compare import Row
from udamlf.report.tables import markdown, text, title
from udamlf.tracking import Tracker

REFERENCES = ("source_only", "control")
HEAD = ["method", "mIoU by seed", "mean ± std", "over source_only", "over control"]


def render_gains(tracker: Tracker, every: Sequence[Row], form: str) -> str:
    """One table for each scenario, data, profile and list: a line per method, gains as mean (every seed).

    Gains are paired by seed: a method and its reference started from the same warm-up where they share it.

    Args:
        every: rows of ``collect``.
        form: "table" or "markdown".
    """
    draw = markdown if form == "markdown" else text
    tables = []
    for _, group in groupby(every, lambda r: (r.scenario, r.data, r.profile, r.split, r.space)):
        rows = list(group)
        scores = {id(row): _by_seed(tracker, row) for row in rows}
        references = {row.method: scores[id(row)] for row in rows if row.method in REFERENCES and not row.overrides}
        lines = [HEAD, *(_line(row, scores[id(row)], references) for row in rows)]
        tables.append(f"{title(rows[0])}: mIoU-{rows[0].space.headline}\n\n{draw(lines)}")
    return "\n\n".join(tables)


def _by_seed(tracker: Tracker, row: Row) -> dict[int, float]:
    """Seed -> headline mIoU in percent of the last round."""
    metric = f"miou/{row.space.headline}"
    runs = {seed: tracker.get(run_id) for seed, run_id in zip(row.seeds, row.run_ids, strict=True)}
    return {seed: run.data.metrics[metric] for seed, run in runs.items() if metric in run.data.metrics}


def _line(row: Row, scores: dict[int, float], references: dict[str, dict[int, float]]) -> list[str]:
    mean = row.miou[row.space.headline]
    shown = "-" if mean is None else f"{mean.mean:.1f}" + ("" if mean.std is None else f" ± {mean.std:.1f}")
    values = " / ".join(f"{scores[seed]:.1f}" for seed in sorted(scores))
    return [row.label(), values, shown, *(_gain(row, scores, references.get(name), name) for name in REFERENCES)]


def _gain(row: Row, scores: dict[int, float], reference: dict[int, float] | None, name: str) -> str:
    shared: Sequence[int] = sorted(set(scores) & set(reference or {}))
    if reference is None or not shared or row.method == name:
        return "-"
    gains = [scores[seed] - reference[seed] for seed in shared]
    return f"{sum(gains) / len(gains):+.1f} ({' / '.join(f'{gain:+.1f}' for gain in gains)})"
