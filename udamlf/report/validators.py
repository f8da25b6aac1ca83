"""How the validators of ``udamlf.evaluation.validators`` rank trainings beside the true mIoU."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from udamlf.config.custom import find_space
from udamlf.report import KINDS

BETTER = {"entropy": -1, "snd": 1, "agreement": 1, "balance": 1}
"""Validator -> the sign of what is taken for better."""
_TABLE, _PREFIX = ["scenario", "data", "profile", "split"], "udamlf.run.evaluate."
_NOTE = """A validator sees no label, but images that the methods trained on. By methods: Spearman's correlation with
the mIoU over the last trainings of all chains; by rounds: within a chain, mean over chains.
It chooses what it takes for best."""


def trainings(chains: Iterable[Any], evaluations: Iterable[Any]) -> pd.DataFrame:
    """A line for every scored training of every chain, from their runs as MLflow returns them: where it belongs, id and
    name of its ``chain``, ``round``, ``last``, ``miou`` (the headline, per cent), and the validators."""
    lines, scored = [], {run.info.run_id: run.data.metrics for run in evaluations}
    for chain in chains:
        tags = chain.data.tags
        mious = f"miou/{find_space(tags['label_space']).headline}"
        rounds = {int(name.removeprefix(_PREFIX)): tags[name] for name in tags if name.startswith(_PREFIX)}
        for number, run_id in rounds.items():
            metrics = scored.get(run_id, {})
            seen = {name: metrics.get(f"validator/{name}") for name in BETTER}
            if None not in seen.values() and mious in metrics:
                facts = {"chain": chain.info.run_id, "name": f"{chain.info.run_name} round {number}", "run_id": run_id}
                facts |= {"last": number == max(rounds), "miou": metrics[mious]}
                lines.append({name: tags[name] for name in _TABLE} | facts | seen)
    return pd.DataFrame(lines)


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Of the trainings of one scenario, data, profile and split a line for every validator, and for the labels:
    Spearman's correlations (nan: fewer than three, or all equal), the choice and its mIoU."""
    last, lines = table[table["last"]].drop_duplicates("run_id"), {}
    for name, sign in {**BETTER, "labels": 1}.items():
        ranked = table.assign(seen=sign * table["miou" if name == "labels" else name])
        chains = [(chain["seen"], chain["miou"]) for _, chain in ranked.groupby("chain")]
        rounds = pd.Series([_correlation(*pair) for pair in chains])
        best = ranked.loc[ranked["seen"].idxmax()]
        methods = _correlation(ranked.loc[last.index, "seen"], last["miou"])
        lines[name] = {
            "by methods": methods,
            "by rounds": rounds.mean(),
            "chooses": best["name"],
            "its mIoU": best["miou"],
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _correlation(seen: pd.Series, miou: pd.Series) -> float:
    return (
        float(seen.corr(miou, method="spearman")) if min(seen.nunique(), miou.nunique()) > 1 < len(seen) - 1 else np.nan
    )


def render(table: pd.DataFrame) -> str:
    """A table for each scenario, data, profile and split."""
    texts = []
    for (scenario, data, profile, split), lines in table.groupby(_TABLE) if len(table) else ():
        count, text = lines["chain"].nunique(), ranking(lines).round(2).to_string(na_rep="-")
        texts.append(f"{scenario} {KINDS[data]}, split {split}, profile {profile}, {count} chains\n\n{text}")
    return "\n\n".join([*texts, _NOTE]) if texts else "no finished chain with validators in this store"
