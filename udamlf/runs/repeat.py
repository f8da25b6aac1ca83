"""What differs between two runs; a chain once more, as it was recorded."""

from ast import literal_eval
from typing import Any

from udamlf.common.errors import UserError
from udamlf.config.compose import with_overrides
from udamlf.config.parts import flatten
from udamlf.config.references import not_of_method
from udamlf.report.comparison import CONFIG, REFERENCE, chains
from udamlf.runs.chain import run_chain
from udamlf.runs.checkpoints import recorded_config
from udamlf.runs.environment import ENVIRONMENT, REQUIREMENTS
from udamlf.runs.plan import Recorded, Request, digest_config
from udamlf.runs.signals import StopFlag
from udamlf.runs.tags import CHAIN, COMMIT, KEY_FILE, step_runs
from udamlf.runs.tracker import Tracker


def differences(first: str, second: str) -> str:
    """Lines on what differs between two runs, chains or stages. UserError: no such run."""
    tracker = Tracker.existing()
    left, right = _facts(tracker, first), _facts(tracker, second)
    lines = []
    for kind in left:
        changed = [kind]
        for name in {**left[kind], **right[kind]}:
            values: list[Any] = [facts[kind].get(name) for facts in (left, right)]  # a setting's ends with its origin
            old, new = ("none" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
            bare = [t.rpartition(" (")[0] if kind == "configuration" and "." in name else t for t in (old, new)]
            delta = f" ({values[1] - values[0]:+.3g})" if all(isinstance(v, float) for v in values) else ""
            changed += [f"  {name}: {old} -> {new}{delta}"] if bare[0] != bare[1] else []
        lines += changed if len(changed) > 1 else []
    return "\n".join(lines) or "nothing differs"


def _facts(tracker: Tracker, run_id: str) -> dict[str, dict[str, Any]]:
    """Kind -> name -> value; a chain's data, code and environment are those of its stages."""
    run = tracker.get(run_id)
    tags, stages, metrics = run.data.tags, [run], run.data.metrics
    if tags.get("stage") == CHAIN:
        stages = [tracker.get(stage_id) for stage_id in step_runs(tags).values()]
    data, code, environment = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for each in sorted(stages, key=lambda stage: int(stage.info.start_time)):
        run_id, read = each.info.run_id, each.inputs.dataset_inputs if each.inputs else []
        data |= {entry.dataset.name: entry.dataset.digest for entry in read}
        code |= {name: each.data.tags.get(name) for name in (COMMIT, "git_dirty")}
        code |= tracker.mapping(run_id, KEY_FILE).get("code", {})
        environment |= dict(flatten(tracker.mapping(run_id, ENVIRONMENT)))
        environment |= dict(line.partition("==")[::2] for line in tracker.text(run_id, REQUIREMENTS).splitlines())
    by_clock = ("system/", "cost/")
    results = {n: value for n, value in sorted(metrics.items()) if not n.startswith(by_clock) and value == value}
    # Every setting, its value with its origin: the command line, or the file of its kind.
    changed = [text.partition("=")[0] for text in literal_eval(run.data.params.get("cfg.overrides", "()"))]
    settings = {}
    for key, value in ((name[4:], value) for name, value in run.data.params.items() if name.startswith("cfg.")):
        kind = key.partition(".")[0]
        origin = "--set" if any(f"{key}.".startswith(f"{path}.") for path in changed) else f"{kind} {tags.get(kind)}"
        settings[key] = f"{value} ({origin})" if "." in key else value
    settings.pop("overrides", None)
    return {"configuration": settings, "data": data, "code": code, "environment": environment, "results": results}


def rerun(run_id: str, overrides: tuple[str, ...], stop: StopFlag, env_manager: str) -> str:
    """Run a chain as it was recorded, with further overrides; its table, what differs. UserError: see ``run_chain``."""
    tracker = Tracker.existing()
    request = recorded_request(tracker, run_id, overrides)
    request.resolve()  # bad input starts no run
    again = tracker.within(run_id).create_run(f"rerun of {run_id}", {"stage": CHAIN})
    _, table = run_chain([request], stop, env_manager, again)
    return f"{table}\n\nunlike run {run_id}:\n{differences(run_id, again)}"


def recorded_request(tracker: Tracker, run_id: str, overrides: tuple[str, ...]) -> Request:
    """The request of a recorded chain with further overrides. UserError: no such chain, or a bad override."""
    tags = tracker.get(run_id).data.tags
    if (kind := tags.get("stage")) != CHAIN:
        raise UserError(f"run {run_id} is of stage {kind}", "a chain", "udamlf compare --format json lists them")
    config, source_only = with_overrides(recorded_config(tracker, run_id), overrides), tags.get(REFERENCE, "")
    if shared := not_of_method(overrides):
        conditions = {**chains(config.scenario.name), CONFIG: source_only}
        run = next(iter(tracker.search(conditions, status=None, most=1)), None)
        source_only = digest_config(with_overrides(recorded_config(tracker, run.info.run_id), shared)) if run else ""
    scenario, method, profile = config.names.values()
    recorded = Recorded(run_id, config, source_only)
    return Request(scenario, method, profile, config.seed, overrides=overrides, recorded=recorded)
