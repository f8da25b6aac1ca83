"""How the validators of ``udamlf.evaluation.validators`` rank trainings beside the true mIoU."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from udamlf.config.labels import find_space
from udamlf.report import KINDS
from udamlf.report.comparison import DATA

BETTER = {"entropy": -1, "snd": 1, "agreement": 1, "balance": 1}
"""Validator -> the sign of what is taken for better."""
_TABLE, _PREFIX = ["scenario", "data", "profile", "split", DATA], "udamlf.run.evaluate."
_NOTE = """A validator sees no label, but images that the methods trained on. By methods: Spearman's correlation with
the mIoU over the last trainings of all chains; by rounds: within a chain, mean over chains; of what is lower where it
takes less for better (entropy). It chooses what it takes for best."""


def trainings(chains: Iterable[Any], evaluations: Iterable[Any]) -> pd.DataFrame:
    """A line for every scored training of every chain, from their runs as MLflow returns them: where it belongs, ids,
    ``name``, whether it is the chain's ``last``, the validators, and the headline mIoU in per cent as ``miou``."""
    lines, scored = [], {run.info.run_id: run.data.metrics for run in evaluations}
    for chain in chains:
        tags, headline = chain.data.tags, f"miou/{find_space(chain.data.tags['label_space']).headline}"
        rounds = {int(name.removeprefix(_PREFIX)): tags[name] for name in tags if name.startswith(_PREFIX)}
        for number, run_id in rounds.items():
            metrics = scored.get(run_id, {})
            if {headline, *(f"validator/{name}" for name in BETTER)} <= metrics.keys():
                line: dict[str, Any] = {name: tags.get(name, "") for name in _TABLE}
                line |= {name: metrics[f"validator/{name}"] for name in BETTER}
                line |= {"chain": chain.info.run_id, "run_id": run_id, "last": number == max(rounds)}
                lines.append({**line, "name": f"{chain.info.run_name} round {number}", "miou": metrics[headline]})
    return pd.DataFrame(lines)


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Of the trainings of one scenario, data, profile and split a line for every validator, and for the mIoU, which
    needs labels: Spearman's correlations (nan: fewer than three, or all equal), the choice and its mIoU."""
    lines: dict[str, tuple[Any, ...]] = {}
    last, chains = table[table["last"]].drop_duplicates("run_id"), [chain for _, chain in table.groupby("chain")]
    for name, sign in {**BETTER, "miou": 1}.items():
        ranks = [(part[name].rank(), part["miou"].rank()) for part in (last, *chains)]
        by_methods, *by_rounds = (sign * values.corr(miou, min_periods=3) for values, miou in ranks)
        best = table.loc[(sign * table[name]).idxmax()]
        lines[name] = (by_methods, pd.Series(by_rounds).mean(), best["name"], best["miou"])
    columns = ["by methods", "by rounds", "chooses", "its mIoU"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def render(table: pd.DataFrame) -> str:
    """A table for each scenario, data and their digest (a world), profile and split."""
    texts = []
    for (scenario, data, profile, split, _), lines in table.groupby(_TABLE) if len(table) else ():
        count, text = lines["chain"].nunique(), ranking(lines).round(2).to_string(na_rep="-")
        texts.append(f"{scenario} {KINDS[data]}, split {split}, profile {profile}, {count} chains\n\n{text}")
    return "\n\n".join([*texts, _NOTE]) if texts else "no finished chain with validators in this store"
