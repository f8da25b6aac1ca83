"""Runs a plan: each step reuses a finished run or becomes a process; two chains that need the same step do it once."""

import logging
import math
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError
from udamlf.common.files import digest_json, file_lock, write_text
from udamlf.config.labels import space_tag
from udamlf.config.references import CONTROL, network
from udamlf.config.schema import SOURCE, SOURCE_VAL, TARGET
from udamlf.data.check import check_apart, check_headers
from udamlf.data.splits import ScenarioData, check_subset
from udamlf.report import comparison, tables
from udamlf.runs.environment import CONFIG
from udamlf.runs.launch import LOCAL, check_manager, environment, identity, launch_stage
from udamlf.runs.log import RunLog, ending
from udamlf.runs.maintenance import reap
from udamlf.runs.pages import address, report
from udamlf.runs.plan import Request, Step, data_root, key_of, key_parts, module_digests, plan, splits_of, up_to_step
from udamlf.runs.reuse import changes, claim, finished_chain
from udamlf.runs.runner import stage_tags
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import at_once
from udamlf.runs.tags import CHAIN, COMMAND, DEVICE, DIGEST, ERROR, HOURS, INTERRUPTED, KEY, KEY_FILE, PROCESS, step_tag
from udamlf.runs.tracker import UNAVAILABLE, Tracker
from udamlf.stages.stage import STAGES, WITH_WEIGHTS, Input

logger = logging.getLogger("udamlf")


class Chain:
    """The plan of one request; ``launch`` starts a stage and waits for it; ``last_step`` as in ``run_chain``.
    UserError: bad input, a missing split."""

    def __init__(
        self, request: Request, env_manager: str = LOCAL, launch: Callable[..., int] = launch_stage,
        last_step: tuple[str, int | None] | None = None,
    ) -> None:  # fmt: skip
        self.request, self.env_manager, self.launch = request, env_manager, launch
        config = self.config = request.resolve()
        self.steps, self.data = plan(config), ScenarioData(config, data_root(config))
        self.digest = cache(self.data.digest)
        self.wanted = up_to_step(self.steps, *last_step) if last_step else self.steps
        splits = splits_of(config, self.wanted)
        trained = splits_of(config, [step for step in self.wanted if step.stage in WITH_WEIGHTS])
        if trained.get(TARGET) and config.method.role != "oracle":
            message = f"method {config.method.name} learns the labels of {TARGET}"
            raise UserError(message, "source: source_train; or `role: oracle` in its file, which marks its rows")
        learnt = {split for split, labelled in trained.items() if labelled}
        scored = {split for split in (config.report_split, SOURCE_VAL) if splits.get(split) and self.data.has(split)}
        for split in sorted(splits.keys() - ({SOURCE_VAL} - {config.report_split, *scored})):
            self.data.samples(split, split in learnt | scored)
        for split in sorted(scored):
            check_apart(self.data, learnt, split)
        if config.method.target_subset:
            check_subset(config.method.target_subset.top_k, len(self.data.samples(TARGET)))
        kind = Path(request.of).stem if request.method == CONTROL else config.recipe
        self.name = "-".join(word for word in (config.method.name, kind, f"s{config.seed}") if word)

    @cached_property
    def parent_tags(self) -> dict[str, str]:
        """Tags of the parent run: what ``compare`` groups by."""
        config, (own, matched, source_only) = self.config, self.request.digests(self.config)
        splits = [name for name in (SOURCE, TARGET, config.report_split) if self.data.has(name)]
        apart = [text.removeprefix("profile.").removeprefix("method.") for text in config.overrides]
        return {
            **stage_tags(config, self.data, CHAIN),
            "rounds": str(config.method.rounds),
            "split": config.report_split,
            "label_space": space_tag(config.scenario.label_space),
            "overrides": shlex.join(config.overrides),
            "mlflow.runName": " ".join([self.name, *apart])[:120],
            COMMAND: self.request.command(),
            comparison.CONFIG: own,
            comparison.MATCHED: matched,
            comparison.REFERENCE: source_only,
            "network": network(config),
            comparison.PROTOCOL: digest_json(config.protocol(config.report_split).model_dump(mode="json"))[:16],
            comparison.CODE: digest_json(module_digests(STAGES.modules("evaluate")))[:16],
            comparison.DATA: digest_json({name: self.digest(name, True) for name in splits}),
        }

    def run(self, parent: RunLog) -> dict[Step, Input]:
        """Do the steps up to the last one and record on ``parent`` what came of them, by round."""
        steps, data = self.wanted, self.data
        parent.log_params({f"cfg.{key}": value for key, value in self.config.flat().items()})
        parent.set_tags({**self.parent_tags, PROCESS: identity()})
        write_text(parent.work / CONFIG, self.config.to_yaml())
        parent.log_file(parent.work / CONFIG)
        splits = splits_of(self.config, steps)
        for split, labelled in splits.items():
            if data.has(split):
                use = split.partition("_")[0] if split in (SOURCE, TARGET) else "evaluation"
                digest, count = self.digest(split, labelled), len(data.samples(split))
                parent.log_dataset(split, digest, use, count, data.source(split))
        parent.flush()
        if data.kind == "real":
            check_headers(data, splits, f"udamlf data check {self.request.scenario} --data-root {data.root}")
        results: dict[Step, Input] = {}
        for position, step in enumerate(steps, 1):
            inputs = {name: results[need] for name, need in step.needs.items()}
            results[step], how = self._do(step, inputs, parent)
            logger.info("%s: %d/%d %s %s", self.name, position, len(steps), step, how)
            parent.set_tags({step_tag(step.stage, step.round): results[step].run_id})
            self._record(parent, step, results[step])
        if len(steps) == len(self.steps):
            # How long trainings and labellings took, shared ones included, and on what: as far as every one says it.
            made = [result.tags for step, result in results.items() if step.stage != "evaluate"]
            if all(HOURS in tags for tags in made):
                parent.log_metrics({"cost/hours": sum(float(tags[HOURS]) for tags in made)}, steps[-1].round)
                parent.set_tags({DEVICE: ", ".join(sorted({tags[DEVICE] for tags in made}))})
            parent.set_tags({comparison.COMPLETE: "true"})
        return results

    def _do(self, step: Step, inputs: Mapping[str, Input], parent: RunLog) -> tuple[Input, str]:
        """A step's result, and whether it was ``done`` or ``reused``."""
        tracker, config = parent.tracker, self.config
        digests = {name: value.tags[DIGEST] for name, value in inputs.items()}
        parts = key_parts(config, step.stage, step.round, digests, self.digest)
        key = key_of(parts)
        tags = stage_tags(config, self.data, step.stage, step.round) | {KEY: key}
        with file_lock(tracker.work / "locks" / key, str(step)):
            claimed = claim(tracker, key, partial(tracker.create_run, f"{self.name} {step}", tags, parent.run_id))
            if isinstance(claimed, Input):
                return claimed, "reused"
            if why := changes(tracker, config, step, parts):
                logger.info("%s: %s is not reused, %s", self.name, step, why)
            parent.alive = {parent.run_id, claimed}  # also while it waits for a GPU: other machines may wait for it
            # The configuration as it was resolved; its names are for people.
            text, runs = config.to_yaml(), " ".join(f"{name}={value.run_id}" for name, value in inputs.items())
            path = tracker.work / "configs" / f"{digest_json(text)[:16]}.yaml"
            write_text(path, text)
            parameters = {"seed": str(config.seed), "config": str(path), "round": str(step.round), "inputs": runs}
            self._launch(tracker, step, {**config.names, **parameters}, claimed, parts)
            return tracker.fetch(claimed), "done"

    def _launch(
        self, tracker: Tracker, step: Step, parameters: dict[str, str], run_id: str, parts: dict[str, Any]
    ) -> None:
        """Run a stage to its end. UserError: it failed, with what it said."""
        try:
            tracker.client.log_dict(run_id, parts, KEY_FILE)
            with environment({"UDAMLF_WORK": str(tracker.work)}):
                code = self.launch(step.stage, parameters, run_id, tracker.experiment_id, self.env_manager)
        except KeyboardInterrupt:
            with suppress(*UNAVAILABLE), at_once():
                tracker.end(run_id, "KILLED", INTERRUPTED)
            raise
        except Exception as error:
            tracker.end(run_id, "FAILED", str(error))
            message = f"stage {step} could not be started: {error}"
            raise UserError(message, f"a working environment ({self.env_manager})", "udamlf doctor") from error
        if code:  # a stage that could say why has closed its run
            told = code in (-signal.SIGINT, -signal.SIGTERM)
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code} and no message"
            tracker.end(run_id, "KILLED" if told else "FAILED", f"its process was ended {how}")
            reason = tracker.get(run_id).data.tags.get(ERROR, "it gave no reason")
            hint = "the same command again, which reuses what has finished; with a smaller batch if memory was short"
            raise UserError(f"stage {step} failed (run {run_id}): {reason}", "", hint if code < 0 and not told else "")

    def _record(self, parent: RunLog, step: Step, result: Input) -> None:
        """Copy a step's metrics to the parent, with step = round, so that MLflow draws lines over rounds; pseudo-labels
        and the source as a whole, not class by class. Rounded: MLflow draws every digit there is."""
        if step.stage != "evaluate" and not step.round:
            return
        metrics, space = parent.tracker.get(result.run_id).data.metrics, self.config.space
        shown = {name: value for name, value in metrics.items() if name.startswith("pl/")}
        if step.stage == "evaluate":
            # MLflow shows the last value of a metric: a class that no longer occurs must not keep an earlier round's.
            classes = (*space.classes, *space.not_in_source) if step.round else ()
            shown = {f"iou/{name}": math.nan for name in classes}
            shown |= {name: value for name, value in metrics.items() if not name.startswith("system/")}
            if (headline := f"miou/{space.headline}") in metrics:
                shown["miou"] = round(metrics[headline], 2)
            parent.set_tags({comparison.SCORED: str(step.round)})
        by_class = ("pl/", "source/iou/")
        whole = {k: v for k, v in shown.items() if not (k.startswith(by_class) and k.count("/") > 1)}
        parent.log_metrics({name: round(value, 4) for name, value in whole.items()}, step.round)


def run_chain(
    requests: Sequence[Request], stop: StopFlag, env_manager: str = LOCAL, adopted: str | None = None,
    last_step: tuple[str, int | None] | None = None,
) -> tuple[str, str]:  # fmt: skip
    """Run chains one after the other, each under a parent run of its own; the steps they share are done once. Returns
    the id of the last one's parent, and the text to print: a result table and the address of the comparison. UserError:
    bad input, or a stage failed; every started run is closed.

    ``adopted``: id of a run to be the last one's parent (that of `mlflow run`); ``last_step``: (stage, round; None: its
    first) to stop after, without a table; the id is then of that step's run."""
    tracker = Tracker.connect().within(adopted) if adopted else None
    with ending(tracker, adopted) if tracker and adopted else nullcontext():
        if tracker:
            tracker.client.set_tag(adopted, PROCESS, identity())
        check_manager(env_manager)
        *before, chain = [Chain(each, env_manager, last_step=last_step) for each in requests]
        tracker = tracker or Tracker.connect()  # bad input has made no store
        reap(tracker)
        if last_step is not None:
            with _parent(chain, tracker, stop, adopted) as parent:
                last, result = list(chain.run(parent).items())[-1]
            return result.run_id, f"{last}: run {result.run_id}"
        run_ids = [*(_whole(each, tracker, stop) for each in before), _whole(chain, tracker, stop, adopted)]
        runs = [tracker.get(run_id) for run_id in run_ids]
    served = "" if tracker.uri.startswith("http") else "  (served by: udamlf ui)"
    text = tables.render(comparison.rows(runs), "table")
    return run_ids[-1], f"{text}\n\ncompare in MLflow: {address(tracker, like=runs[-1].data.tags)}{served}"


def _whole(chain: Chain, tracker: Tracker, stop: StopFlag, adopted: str | None = None) -> str:
    """Run id of a whole chain's parent: one in the store, each step of which would be reused, else a new one."""
    tags = chain.parent_tags
    lock = digest_json([tags[name] for name in ("method", "seed", comparison.CONFIG, comparison.DATA)])
    with file_lock(tracker.work / "locks" / f"chain-{lock}", chain.name):
        recorded = None if adopted else finished_chain(chain.config, tracker, chain.digest)
        same = recorded and recorded.data.tags.get(comparison.CONFIG) == tags[comparison.CONFIG]
        if recorded and same and recorded.info.experiment_id == tracker.experiment_id:
            for position, step in enumerate(chain.steps, 1):
                logger.info("%s: %d/%d %s reused", chain.name, position, len(chain.steps), step)
            return str(recorded.info.run_id)
        with _parent(chain, tracker, stop, adopted) as parent:
            report(parent, chain.data, chain.run(parent))
            return parent.run_id


@contextmanager
def _parent(chain: Chain, tracker: Tracker, stop: StopFlag, adopted: str | None) -> Iterator[RunLog]:
    """The log of a chain's parent run, a new one or that of `mlflow run`; at the end all has arrived in MLflow."""
    run_id = adopted or tracker.create_run(chain.name, {"stage": CHAIN})
    work = tracker.work / "runs" / run_id
    with ending(tracker, run_id), file_lock(work.with_suffix(".lock"), run_id):
        log = RunLog(tracker, run_id, work, stop)
        try:
            with log:
                yield log
                log.complete()
        finally:
            if not log.journal.waiting():
                shutil.rmtree(work, ignore_errors=True)
