"""How the validators of ``udamlf.evaluation.validators`` rank trainings beside the true mIoU."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from udamlf.config.custom import find_space
from udamlf.report import KINDS

BETTER = {"validator/entropy": -1, "validator/snd": 1, "validator/agreement": 1, "validator/balance": 1}
"""Validator -> the sign of its change that is taken for better."""
_TABLE = ["scenario", "data", "profile", "split", "headline"]
_PREFIX = "udamlf.run.evaluate."
_NOTE = """A validator sees no label, but images that the methods trained on. "ranks methods": Spearman's correlation with the
mIoU over the last trainings of all chains; "ranks rounds": within a chain, mean over the chains; "chooses" the training
that it takes for the best of all rounds."""


def trainings(chains: Iterable[Any], evaluations: Iterable[Any]) -> pd.DataFrame:
    """A line for every scored training of every chain, from their runs as MLflow returns them: ``_TABLE``, ``chain``,
    ``name``, ``run_id`` (of the evaluation), ``round``, ``last``, ``miou`` in per cent, and the validators."""
    scored = {run.info.run_id: run.data.metrics for run in evaluations}
    lines = []
    for chain in chains:
        tags = chain.data.tags
        headline = find_space(tags["label_space"]).headline
        rounds = {int(name.removeprefix(_PREFIX)): tags[name] for name in tags if name.startswith(_PREFIX)}
        place = [*(tags[name] for name in _TABLE[:-1]), headline]
        for number, run_id in rounds.items():
            metrics = scored.get(run_id, {})
            if {f"miou/{headline}", *BETTER} <= metrics.keys():
                facts = {"chain": chain.info.run_id, "name": chain.info.run_name, "run_id": run_id, "round": number}
                facts |= {"last": number == max(rounds), "miou": metrics[f"miou/{headline}"]}
                lines.append(dict(zip(_TABLE, place, strict=True)) | facts | {name: metrics[name] for name in BETTER})
    return pd.DataFrame(lines)


def correlation(values: pd.Series, miou: pd.Series) -> float:
    """Spearman's rank correlation, -1..1; nan for fewer than three, or where all are equal."""
    constant = min(values.nunique(), miou.nunique()) < 2
    return float("nan") if len(values) < 3 or constant else float(spearmanr(values, miou).statistic)


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Of the trainings of one scenario, profile and split a line for each validator, and for the labels themselves:
    ``methods``, ``rounds`` (correlations), ``chooses`` (a training's name), ``miou`` (of that)."""
    last, lines = table[table["last"]].drop_duplicates("run_id"), {}
    for name, sign in {**BETTER, "labels": 1}.items():
        seen = sign * table["miou" if name == "labels" else name]
        rounds = [correlation(seen[chain.index], chain["miou"]) for _, chain in table.groupby("chain")]
        best = table.loc[seen.idxmax()]
        lines[name.removeprefix("validator/")] = {
            "methods": correlation(seen[last.index], last["miou"]),
            "rounds": float(np.nanmean(rounds)) if np.isfinite(rounds).any() else float("nan"),
            "chooses": f"{best['name']} round {best['round']}",
            "miou": best["miou"],
        }
    return pd.DataFrame(lines).T


def render(table: pd.DataFrame) -> str:
    """A table for each scenario, data, profile and split."""
    texts = []
    for place, lines in table.groupby(_TABLE) if len(table) else ():
        scenario, data, profile, split, headline = place
        count = lines["chain"].nunique()
        head = f"{scenario} {KINDS[data]}, split {split}, profile {profile}: {count} chains, mIoU-{headline}"
        names = {"methods": "ranks methods", "rounds": "ranks rounds", "miou": "its mIoU"}
        shown = dict.fromkeys(("methods", "rounds"), lambda value: "-" if np.isnan(value) else f"{value:+.2f}")
        cells = ranking(lines).assign(**{k: lambda t, k=k, f=f: t[k].map(f) for k, f in shown.items()})
        texts.append(f"{head}\n\n{cells.rename(columns=names).to_string(float_format='{:.1f}'.format)}")
    return "\n\n".join([*texts, _NOTE]) if texts else "no finished chain with validators in this store"
