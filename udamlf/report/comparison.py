"""Finished chains as rows, one method on one scenario with its runs over seeds, what a row is compared to, and how sure
its numbers are. Of runs, as MLflow returns them, only ``info.run_id``, ``data.tags`` and ``data.metrics`` are read."""

import shlex
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd

from udamlf.config.compose import name_of
from udamlf.config.labels import LabelSpace, find_space
from udamlf.config.references import CONTROL, SOURCE_ONLY, not_of_method
from udamlf.report import KINDS

# Tags of a chain: digests of its configuration, of its matched control's, of its protocol; the last round scored.
CONFIG, MATCHED, PROTOCOL, SCORED = "udamlf.config", "udamlf.control", "udamlf.protocol", "udamlf.scored"
REFERENCE = "udamlf.source_only"  # digest of the configuration of the source_only that a chain's gain is over
COMPLETE = "udamlf.complete"  # "true" of a whole chain, "superseded" once another one has taken its place
CODE = "udamlf.code"  # digest of what scored a chain
DATA = "udamlf.data"  # digest of the listings of its splits
ABSENT, NO_RUN = "-", "no run"
OVER = ("seeds", "worlds")
COSTS = ("parameters", "gflops", "frames_per_second", "hours")
METRICS = {"miou": "miou", "iou": "iou", "source": "source/miou"}
"""What a row has, by subset, class and, on the source's held-out frames, subset -> how its metrics begin."""

IDENTITY = ("scenario", "method", "recipe", "profile", "data", "split", "network", "overrides")
_DIGESTS = {"protocol": PROTOCOL, "config": CONFIG, "matched": MATCHED, "reference": REFERENCE, "world": DATA}
_GROUP = [*IDENTITY, "role", "label_space", "files", "protocol", "of"]
_TABLE = attrgetter("scenario", "data", "profile", "split", "space.name", "files")  # what the rows of one table share
_ROLES = {"baseline": 0, "method": 1, "oracle": 2}
_NOTHING = dict.fromkeys(("mean", "std", "low", "high", "n", "p"))
_FIRST = {SOURCE_ONLY: 0, "adabn": 1, CONTROL: 2}
_UNKNOWN_DEVICES = {"", "x86_64", "aarch64"}  # what versions recorded that did not know the processor's model

Run = tuple[str, int]  # digest of the data's listing (a world), and seed: what runs of two methods are paired by
Estimate = dict[str, Any]
"""``mean``, ``std`` (of the sample), ``low`` and ``high`` (ends of the 95 % interval of the mean) and ``n``; of a
difference also ``p`` of the paired t-test. What n does not allow is None."""
Estimates = dict[str, dict[str, Estimate | None]]


def estimate(values: Iterable[float]) -> Estimate | None:
    """Mean with Student's interval; None without a value. One value has neither deviation nor interval."""
    numbers = list(values)
    if len(numbers) < 2:
        return {"mean": numbers[0], "std": None, "low": None, "high": None, "n": 1} if numbers else None
    from scipy.special import stdtrit  # scipy takes a second, and a chain of one seed needs none

    n, mean, std = len(numbers), statistics.fmean(numbers), statistics.stdev(numbers)
    half = float(stdtrit(n - 1, 0.975)) * std / n**0.5
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half, "n": n}


def difference(scores: Mapping[Any, float], reference: Mapping[Any, float]) -> Estimate | None:
    """Mean of ``scores`` - ``reference`` over the keys that both have, with its interval and the test of whether it is
    0, which differences without any spread do not have; None without a common key."""
    paired = estimate(scores[key] - reference[key] for key in scores if key in reference)
    if paired is None or (paired["std"] or 0.0) < 1e-9:  # equal differences of floats have some spread
        return paired and {**paired, "p": None}
    from scipy.special import stdtr  # scipy.stats, which has the test by name, takes longer to import than all the rest

    score = abs(paired["mean"]) / (paired["std"] / paired["n"] ** 0.5)
    return {**paired, "p": 2 * float(stdtr(paired["n"] - 1, -score))}


@dataclass(frozen=True)
class Row:
    """One line of a comparison; of each of its parent runs there is a world, a seed and an id."""

    scenario: str
    method: str
    recipe: str  # published, adapted; "": there is no publication
    profile: str
    data: str  # miniature, real
    split: str
    network: str
    overrides: str  # what differs from the shipped configuration
    role: str
    space: LabelSpace
    files: str  # digest of the data's listing; "": worlds are pooled
    protocol: str
    config: str  # digest of the configuration, and those of its matched control's and of its source_only's
    matched: str
    reference: str
    worlds: list[str]
    seeds: list[int]
    run_ids: list[str]
    devices: list[str]  # that trained them, and digests of the code that scored them, as far as they are known
    codes: list[str]
    scores: dict[str, dict[Run, float]]  # by metric, in percent, without the undefined ones

    @property
    def identity(self) -> dict[str, str]:
        """What tells it from the rows of other tables, methods and configurations."""
        return {name: getattr(self, name) for name in IDENTITY}

    def headline(self, kind: str = "miou") -> dict[Run, float]:
        """The headline mIoU on the reported split, or ("source") at home, on the source's held-out frames."""
        return self.scores.get(f"{METRICS[kind]}/{self.space.headline}", {})

    def estimates(self, over: "Row | None" = None) -> Estimates:
        """``miou``, ``iou`` and ``source``, each by subset or class: mean over the runs, or mean difference from the
        runs ``over`` of the same seed and world; None where it is undefined (class absent, or not in the source)."""

        def one(metric: str) -> Estimate | None:
            scores = self.scores.get(metric, {})
            return estimate(scores.values()) if over is None else difference(scores, over.scores.get(metric, {}))

        classes = (*self.space.classes, *self.space.not_in_source)
        names = {kind: classes if kind == "iou" else (*self.space.subsets,) for kind in METRICS}
        return {k: {name: one(f"{METRICS[k]}/{name}") for name in names[k]} for k in METRICS}

    @property
    def title(self) -> str:
        """Method and recipe."""
        return f"{self.method} ({self.recipe})" if self.recipe else self.method

    def label(self, rows: Sequence["Row"]) -> str:
        """Method, recipe, and what sets the row apart among ``rows``, those of its table."""
        shared, title = shared_overrides(rows), self.title
        apart = [text for text in shlex.split(self.overrides) if text not in shared]
        apart += [self.network] if len({row.network for row in rows}) > 1 else []
        if self.method == CONTROL and (matched := [row.title for row in rows if row.matched == self.config]):
            title = f"control of {', '.join(dict.fromkeys(matched))}"
        return f"{title} ({shlex.join(apart)})" if apart else title


def chains(scenario: str | None = None) -> dict[str, str]:
    """Tags of the parent runs of chains; ``scenario``: a name, or a YAML file."""
    return {"stage": "chain", **({"scenario": name_of("scenarios", scenario)} if scenario else {})}


def finished(scenario: str | None = None) -> dict[str, str]:
    """Tags of the runs that a comparison is made of."""
    return {**chains(scenario), COMPLETE: "true"}


def rows(runs: Iterable[Any], over: str = "seeds") -> list[Row]:
    """Parent runs, newest first, grouped into rows. Of several runs of one seed the newest counts; those of an older
    state of the configuration files are left out. ``over`` "worlds": runs on different generated worlds are one row, of
    each world the lowest seed's, as others share the world. A control has no file: each configuration is a row."""
    lines = []
    for run in runs:
        tags = {name: run.data.tags.get(_DIGESTS.get(name, name), "") for name in (*_GROUP, *_DIGESTS, "device", CODE)}
        tags["of"] = tags["config"] if tags["method"] == CONTROL else ""
        tags["files"] = "" if over == "worlds" and tags["data"] == "miniature" else tags["world"]
        scores = {n: v for n, v in run.data.metrics.items() if n.rpartition("/")[0] in (*METRICS.values(), "cost")}
        lines.append({**tags, "seed": int(run.data.tags["seed"]), "run_id": run.info.run_id, **scores})
    if not lines:
        return []
    table = pd.DataFrame(lines)
    # Overrides that make no other configuration make no other row; it has the shortest of them.
    same = table.groupby([name for name in (*_GROUP, "config") if name != "overrides"])["overrides"]
    table["overrides"] = same.transform(lambda texts: min(texts, key=len))
    table = table[table["config"] == table.groupby(_GROUP)["config"].transform("first")]
    table = table.drop_duplicates([*_GROUP, "world", "seed"]).sort_values(["world", "seed"])
    shares_world = (table["files"] == "") & table.duplicated([*_GROUP, "world"]) & (over == "worlds")
    table = table[~shares_world].set_index(["world", "seed"])

    def row(runs: pd.DataFrame) -> Row:
        shared = runs[[*IDENTITY, "role", "files", "protocol", "config", "matched", "reference"]].iloc[0].to_dict()
        return Row(
            **shared,
            space=find_space(runs["label_space"].iloc[0]),
            worlds=runs.index.get_level_values("world").tolist(),
            seeds=runs.index.get_level_values("seed").tolist(),
            run_ids=runs["run_id"].tolist(),
            devices=sorted({each for text in runs["device"] for each in text.split(", ")} - _UNKNOWN_DEVICES),
            codes=sorted({*runs[CODE]} - {""}),
            scores={str(name): column.dropna().to_dict() for name, column in runs.select_dtypes("number").items()},
        )

    def place(row: Row) -> tuple[Any, ...]:
        references = (_ROLES.get(row.role, 3), _FIRST.get(row.method, 3), row.method, row.recipe)
        return (*_TABLE(row), *references, row.overrides, row.network, row.config)

    return sorted((row(runs) for _, runs in table.groupby(_GROUP, sort=False)), key=place)


def titled(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each table, those that can be compared, under what their numbers are of."""
    tables = [(place, list(group)) for place, group in groupby(rows, _TABLE)]
    several = Counter(place[:-1] for place, _ in tables)
    for place, group in tables:
        (scenario, data, profile, split, _, files), shared = place, shared_overrides(group)
        worlds = {world for row in group for world in row.worlds}
        title = f"{scenario}, IoU in % {KINDS[data]}, split {split}, profile {profile}"
        title += f", data {files[:8]}" if several[place[:-1]] > 1 else ""
        title += f", over {len(worlds)} worlds" if len(worlds) > 1 else ""
        devices = sorted({device for row in group for device in row.devices})  # seeds differ less than processors may
        title += f", trained on {' and '.join(devices)}" if len(devices) > 1 else ""
        yield title + (f", with {shlex.join(shared)}" if shared else ""), group


def shared_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that every row has, in the first row's order."""
    return [text for text in shlex.split(rows[0].overrides) if all(text in shlex.split(r.overrides) for r in rows)]


def baselines(row: Row, group: Sequence[Row], name: str = "") -> dict[str, Row | str]:
    """What a row's differences are from, or why there is none: by default ``source_only`` and the matched control, else
    the row called ``name``; of several of that method, the one of the row's own overrides and recipe."""
    return {each: _baseline(row, group, each) for each in ([name] if name else (SOURCE_ONLY, CONTROL))}


def _baseline(row: Row, group: Sequence[Row], name: str) -> Row | str:
    if name == SOURCE_ONLY:
        return source_only_of(row, group)
    if name == CONTROL:
        return next((other for other in group if other.config == row.matched), NO_RUN) if row.matched else ABSENT
    named = [other for other in group if name in (other.method, other.title, other.label(group))]
    if row in named:
        return ABSENT
    alike = [other for other in named if (other.network, other.protocol) == (row.network, row.protocol)]
    if not alike:
        return "other network or protocol" if named else NO_RUN
    alike = [other for other in alike if _budget(other) == _budget(row)]
    if not alike:
        return "other overrides"
    return min(alike, key=lambda o: (o.overrides != row.overrides, o.recipe != row.recipe))


def _budget(row: Row) -> list[str]:
    """The overrides that are not of the method alone."""
    return list(not_of_method(shlex.split(row.overrides)))


def source_only_of(row: Row, group: Sequence[Row]) -> Row | str:
    """The run of ``source_only`` that a row's gain is measured from, or why there is none."""
    if row.method == SOURCE_ONLY:
        return ABSENT
    others = [other for other in group if other.method == SOURCE_ONLY]
    if exact := [other for other in others if other.config == row.reference]:
        return exact[0]
    if not row.reference:  # of a version that did not record it
        others = [other for other in others if shlex.split(other.overrides) == _budget(row)]
    alike = [other for other in others if other.network == row.network]
    if not alike:
        return f"other network ({others[0].network})" if others else NO_RUN
    alike = [other for other in alike if other.protocol == row.protocol]
    return "other protocol" if not alike else "other configuration" if row.reference else alike[0]


def plain(rows: Sequence[Row], baseline: str = "") -> list[dict[str, Any]]:
    """Of every row what identifies it, its runs, its estimates, and as ``delta`` those of its differences."""
    lines = []
    for row, group in ((row, group) for _, group in titled(rows) for row in group):  # noqa: B020
        delta: dict[str, Any] = {}
        for name, other in baselines(row, group, baseline).items():
            if isinstance(other, str):
                delta[name] = {"missing": other}
            else:
                delta[name] = {"run_ids": other.run_ids, **row.estimates(other)}
        runs = {"seeds": row.seeds, "worlds": row.worlds, "run_ids": row.run_ids}
        lines.append({**row.identity, **runs, **row.estimates(), "delta": delta})
    return lines


def costs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Of every row what identifies it, and means over its runs: headline mIoU in percent, ``COSTS`` (hours are of the
    chain's trainings and labellings, shared ones included); None where no run has recorded it; ``device``."""
    lines = []
    for row in rows:
        values = {"miou": row.headline(), **{name: row.scores.get(f"cost/{name}", {}) for name in COSTS}}
        means = {name: statistics.fmean(of.values()) if of else None for name, of in values.items()}
        seeds = {"seeds": " ".join(map(str, row.seeds))}
        lines.append({**row.identity, **seeds, **means, "device": ", ".join(row.devices)})
    return lines


def frame(rows: Sequence[Row], baseline: str = "") -> pd.DataFrame:
    """A line per row, metric and subset or class: what identifies the row; mean, std, low, high (the 95 % interval) and
    n; and the same of the difference from each baseline B as over_B_mean ..., with over_B_p of the paired t-test."""
    lines = []
    for row, line in zip(rows, plain(rows, baseline), strict=True):
        identity = {**row.identity, "seeds": " ".join(map(str, row.seeds))}
        for kind, name, value in ((k, *item) for k in METRICS for item in line[k].items()):
            known = {"metric": METRICS[kind], "name": name, "in_source": name not in row.space.not_in_source}
            gains = {f"over_{b}": _NOTHING | (d.get(kind, {}).get(name) or {}) for b, d in line["delta"].items()}
            lines.append({**identity, **known, **(value or {}), **gains})
    table = pd.json_normalize(lines, sep="_")
    numbers = {column: kind for column in table if (kind := column.rpartition("_")[2]) in _NOTHING}
    return table.astype({column: "Int64" if kind == "n" else float for column, kind in numbers.items()})
