"""What a pseudo_label stage shows of IntraDA's ranking: every image's entropy and split, and a figure of both ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from udamlf.data.labels import LabelSpace
from udamlf.files import write_json, write_text
from udamlf.report.figures import ranking_figure
from udamlf.selection.entropy_ranking import EntropyRanking

SHOWN = 4
COLUMNS = ("rank", "image", "split", "score", "entropy", "rare_classes")


def table(selector: EntropyRanking, names: Sequence[str]) -> list[dict[str, object]]:
    """One entry per image, the easiest first; ``score`` is what decides: the entropy, normalised where asked for."""
    state, split, scores = selector.state(), selector.ranking(), selector.scores()
    row = {int(image): position for position, image in enumerate(state["ranked_images"])}
    entries: list[dict[str, object]] = []
    for part, images in split._asdict().items():
        for image in images.tolist():
            at = row[image]
            numbers = (float(scores[at]), float(state["entropy_scores"][at]), int(state["rare_classes_present"][at]))
            entries.append(dict(zip(COLUMNS, (len(entries) + 1, names[image], part, *numbers), strict=True)))
    return entries


def publish_ranking(
    out: Path,
    selector: EntropyRanking,
    names: Sequence[str],
    image: Callable[[int], np.ndarray],
    probabilities: Callable[[int], Tensor],
    space: LabelSpace,
    kind: str,
) -> None:
    """Write ``ranking/ranking.json`` and ``.csv`` and ``figures/easiest_hardest.png`` under ``out``.

    Args:
        names: of the target list.
        image: uint8 RGB [H, W, 3] of an image of the list.
        probabilities: float32 [C, h, w] of an image; asked for the images of the figure only.
        kind: ``miniature`` or ``real``.
    """
    entries = table(selector, names)
    easy = sum(entry["split"] == "easy" for entry in entries)
    summary = {"easy_share": selector.params.easy_share, "normalised": selector.params.normalise}
    counts = {"images": len(entries), "easy": easy, "hard": len(entries) - easy}
    write_json(out / "ranking" / "ranking.json", {**summary, **counts, "ranking": entries})
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    write_text(out / "ranking" / "ranking.csv", text.getvalue())
    ranked = [int(index) for part in selector.ranking() for index in part]
    ends = [*ranked[:SHOWN], *(index for index in ranked[-SHOWN:] if index not in ranked[:SHOWN])]
    shown = []
    for index in ends:
        entry = entries[ranked.index(index)]
        title = f"{entry['rank']} of {len(entries)}, {entry['split']}, score {entry['score']:.4f}  {entry['image']}"
        shown.append((title, image(index), probabilities(index).cpu().numpy()))
    ranking_figure(shown, space, kind, out / "figures" / "easiest_hardest.png")
