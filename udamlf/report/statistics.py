"""How sure a mean is: 95 % intervals of Student's t, and paired tests.

SciPy is imported where there is something to test: it takes a second, and a chain of one seed needs none."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

Estimate = dict[str, Any]
"""``mean``, ``std`` (of the sample), ``low`` and ``high`` (ends of the 95 % interval of the mean) and ``n``; of a
difference also ``p`` of the paired t-test. What n does not allow is None."""
Estimates = dict[str, dict[str, Estimate | None]]


def estimate(values: Iterable[float]) -> Estimate | None:
    """Mean with its interval; None without a value. One value has neither deviation nor interval."""
    numbers = list(values)
    if len(numbers) < 2:
        return {"mean": numbers[0], "std": None, "low": None, "high": None, "n": 1} if numbers else None
    from scipy.special import stdtrit

    n, mean, std = len(numbers), statistics.fmean(numbers), statistics.stdev(numbers)
    half = float(stdtrit(n - 1, 0.975)) * std / n**0.5
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half, "n": n}


def difference(scores: Mapping[Any, float], reference: Mapping[Any, float]) -> Estimate | None:
    """Mean of ``scores`` - ``reference`` over the keys that both have, with its interval and the test of whether it is
    0, which differences without any spread do not have; None without a common key."""
    keys = [key for key in scores if key in reference]
    paired = estimate(scores[key] - reference[key] for key in keys)
    if paired is None or not paired["std"]:
        return paired and {**paired, "p": None}
    from scipy.stats import ttest_rel

    test = ttest_rel([scores[key] for key in keys], [reference[key] for key in keys])
    return {**paired, "p": float(test.pvalue)}
