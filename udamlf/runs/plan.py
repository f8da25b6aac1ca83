"""What a chain is to do: a user's request, the steps that the stages declare, their keys. A step's key is a hash of
everything its result depends on; of the code it has the syntax trees, without docstrings and comments, of the modules
that the stage and its building blocks import."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from udamlf.common.errors import UserError
from udamlf.common.files import PROJECT_ROOT, digest_file, digest_json
from udamlf.config.compose import resolve
from udamlf.config.parts import Part
from udamlf.config.references import CONTROL, SOURCE_ONLY, control, not_of_method, reference
from udamlf.config.schema import SOURCE, Config, Recipe
from udamlf.data.check import check_classes
from udamlf.data.dataset import split_of
from udamlf.miniature import cached_world
from udamlf.stages.stage import STAGES, stage

PACKAGE = "udamlf"
# What counts with its values instead (configuration, label spaces), and figures, on which no result depends.
_LEFT_OUT = tuple(f"{PACKAGE}.{name}." for name in ("config", "common.errors", "report"))
_VERSIONS = ("torch", "numpy", "opencv-python", "pillow")
Digest = Callable[[str, bool], str]  # (split, whether its labels are read) -> digest of the split


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def data_root(config: Config, splits: Iterable[str] | None = None) -> Path:
    """The folder of the data sets; without one the miniature, generated as far as ``splits`` (default: all) need it."""
    if config.data_root:
        return Path(config.data_root).resolve()
    names = config.scenario.splits if splits is None else splits
    return cached_world(needs=tuple(sorted({config.scenario.splits[name].dataset for name in names})))


def with_start_file(config: Config, file: Path) -> Config:
    """The configuration of a chain that begins with the network of a released file; what the file decides of the
    network wins over the profile. UserError: see ``released.read``."""
    from udamlf.models import released  # imports torch, which bad names need not wait for

    theirs = released.read(file).for_space(config.space).backbone
    method, labeller = config.method, config.method.labeller
    if labeller:
        method = method.model_copy(update={"labeller": _absolute(labeller)})
        if (network := released.read(Path(labeller)).for_space(config.space).backbone) != theirs:
            raise UserError(f"method.labeller: {labeller} is a {network}", f"the network of {file.name}, {theirs}")
    named = config.profile.model if config.profile.model.name == theirs.name else theirs
    profile = config.profile.model_copy(update={"model": Part(**{**named.model_dump(), **theirs.model_dump()})})
    overrides = (*config.overrides, f"start={file.name}:{digest_file(file)[:8]}")
    update = {"method": method, "profile": profile, "start": str(file), "overrides": overrides}
    return config.model_copy(update=update)


class Recorded(NamedTuple):
    """A run that is to be repeated: its id, its configuration with the request's overrides, and the digest of the
    source_only that its gain is over, which a configuration does not hold; "" where that is not known."""

    run_id: str
    config: Config
    source_only: str


@dataclass(frozen=True)
class Request:
    """What a user asks for: the arguments of ``udamlf.config.compose.resolve``; ``of``: the method that ``method``, a
    reference or ``CONTROL``, is matched to; ``start``: a released file that takes the warm-up's place; ``recorded``: a
    run that is to be repeated."""

    scenario: str
    method: str
    profile: str = ""
    seed: int = 0
    rounds: int | None = None
    data_root: str | None = None
    recipe: Recipe = "adapted"
    of: str = ""
    overrides: tuple[str, ...] = ()
    start: str = ""
    recorded: Recorded | None = None

    def resolve(self, files: bool = True) -> Config:
        """The configuration, checked by every stage of its chain (``files``: also that its weights are there).
        UserError: see ``resolve`` and ``check``."""
        config = self.configuration()
        steps = plan(config)
        check_classes(config, splits_of(config, steps).get(SOURCE, False))
        check_rounds(config)
        for step in steps:
            stage(step.stage).check(config, step.round)
            if files:
                stage(step.stage).check_files(config, step.round)
        return config

    def configuration(self) -> Config:
        """``resolve`` without the checks of the stages."""
        if self.recorded:
            return self.recorded.config
        if self.of:
            matched = replace(self, method=self.of, of="").configuration()
            if self.method == CONTROL:
                return control(matched)
            return reference(replace(self.beside(self.method), of="").configuration(), matched)
        if self.method == CONTROL:
            raise UserError("--method control", "the method that it is the control of", "--method control --of iast")
        names = (self.scenario, self.method, self.profile, self.seed, self.rounds)
        root = _absolute(self.data_root) if self.data_root else None
        config = resolve(*names, root, self.recipe, self.overrides)
        if self.start and not config.method.round_numbers and config.method.name != SOURCE_ONLY:
            message = f"--start with {config.method.name}, which has no rounds after its warm-up"
            raise UserError(message, "a method with rounds", "--method source_only for the file alone")
        if config.method.labeller and not self.start:
            raise UserError("method.labeller without --start", "the file that is trained on as well", "--start FILE")
        return with_start_file(config, Path(_absolute(self.start))) if self.start else config

    def title(self) -> str:
        """Its scenario, method and seed, in a few words."""
        of = f" of {Path(self.of).stem}" if self.method == CONTROL else ""
        return f"{Path(self.scenario).stem} {Path(self.method).stem}{of} s{self.seed}"

    def command(self) -> str:
        """The command line that repeats it, valid in any folder."""
        names = ("scenario", "method", "of", "profile", "recipe", "seed", "rounds", "data_root", "start")
        pairs = [(name, str(value)) for name in names if (value := getattr(self, name)) not in ("", None, "adapted")]
        pairs = [(k, _absolute(v) if k in names[-2:] or v.endswith((".yaml", ".yml")) else v) for k, v in pairs]
        pairs = [] if self.recorded else pairs
        pairs += [("set", text) for text in self.overrides]
        words = (word for name, value in pairs for word in (f"--{name.replace('_', '-')}", value))
        return shlex.join(["udamlf", *(["rerun", self.recorded.run_id] if self.recorded else ["run"]), *words])

    def reference(self, method: str) -> Request:
        """The request of a reference that this one's gain is measured from: ``CONTROL``, or a baseline's name."""
        return replace(self, method=method, of=self.of or self.method)

    def digests(self, config: Config) -> tuple[str, str, str]:
        """Of its configuration, its matched control's ("": none), and the source_only's that its gain is over."""
        own = digest_config(config)
        matched = digest_config(control(config)) if config.method.role == "method" else ""
        if self.recorded:
            return own, matched, self.recorded.source_only
        return own, matched, digest_config(self.reference(SOURCE_ONLY).configuration())

    def compared(self, references: bool = True, control: bool = False) -> list[Request]:
        """It, after those that it is compared with: source_only and adabn, and its matched control."""
        names = [*((SOURCE_ONLY, "adabn") if references else ()), *([CONTROL] if control else [])]
        return [*(self.reference(name) for name in names if name != self.method), self]

    def beside(self, method: str) -> Request:
        """The same budget and data for another method: what was set for the method itself falls away."""
        return replace(self, method=method, rounds=None, overrides=not_of_method(self.overrides))


def check_rounds(config: Config) -> None:
    """UserError: an objective needs what its round's selector does not publish, or a round the teacher of one without;
    no stage can see that alone."""
    from udamlf.selection.base import build
    from udamlf.training.objective import OBJECTIVES, check_published

    for number in config.method.round_numbers:
        settings = config.method.round_at(number)
        if config.training(number).steps:
            selector = settings.selector and build(settings.selector, config.space, number)
            check_published(settings.objective, selector.publishes if selector else ())
        before = config.method.round_at(max(number - 1, 1)).objective.name
        taught = settings.generator == "teacher" and number > config.method.first_round
        if taught and not OBJECTIVES.find(before).has_teacher:
            raise UserError(f"generator: teacher after a round of {before}, which has none", "last, or middle")


@dataclass(frozen=True)
class Step:
    """One stage of one round; ``needs`` maps the names of its inputs to the steps that make them."""

    stage: str
    round: int
    needs: Mapping[str, Step] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.stage if stage(self.stage).once else f"{self.stage} {self.round}"


def plan(config: Config) -> list[Step]:
    """Every step of the chain, each after those that it needs; a training is evaluated as soon as it has ended."""
    steps: dict[tuple[str, int], Step] = {}

    def add(name: str, round: int) -> Step:
        if (name, round) not in steps:
            needs = {key: add(*need) for key, need in stage(name).declare(config, round).inputs.items()}
            steps[name, round] = Step(name, round, needs)
        return steps[name, round]

    for round, _, name in sorted((r, n == "evaluate", n) for n in STAGES.names() for r in stage(n).rounds(config)):
        add(name, round)
    return list(steps.values())


def splits_of(config: Config, steps: Iterable[Step]) -> dict[str, bool]:
    """Splits that the steps open -> whether any of them reads their labels."""
    splits: dict[str, bool] = {}
    for step in steps:
        for split, labelled in stage(step.stage).declare(config, step.round).splits.items():
            splits[split] = splits.get(split, False) or labelled
    return splits


def up_to_step(steps: Sequence[Step], name: str, round: int | None = None) -> list[Step]:
    """The plan of one step (no round: the stage's first one): all that it needs, and it. UserError: no such step."""
    last = next((step for step in steps if step.stage == name and round in (None, step.round)), None)
    if last is None:
        message = f"the method has no stage {name}" + (f" in round {round}" if round is not None else "")
        raise UserError(message, f"one of: {', '.join(map(str, steps))}")
    needed = {last}
    for step in reversed(steps):  # each stands after those that it needs
        if step in needed:
            needed.update(step.needs.values())
    return [step for step in steps if step in needed]


# --- keys ------------------------------------------------------------------------------------------------------------


def key_of(parts: Mapping[str, Any]) -> str:
    """The key that ``key_parts`` make: a SHA-256."""
    return digest_json({**parts, "code": digest_json(parts["code"])})


def digest_config(config: Config) -> str:
    """Digest of a resolved configuration, as far as its chain reads it."""
    config, reads = config.model_copy(update={"seed": 0}), {}
    for step in plan(config):
        declared = stage(step.stage).declare(config, step.round)
        reads[str(step)] = [declared.reads, declared.splits, [digest_file(file) for file in declared.files]]
    return digest_json(json.loads(json.dumps([config.method.name, config.space.classes, reads], default=str)))


def key_parts(config: Config, name: str, round: int, inputs: Mapping[str, str], digest: Digest) -> dict[str, Any]:
    """Everything the result of stage ``name`` depends on, as JSON; ``inputs``: name -> digest of its artifacts."""
    declared, space = stage(name).declare(config, round), config.space

    def listing(split: str, labelled: bool) -> list[Any]:
        data_set, _ = split_of(config.scenario, split)
        return [digest(split, labelled), data_set.decoding(space) if labelled else None]

    parts = {
        "stage": name,
        "config": declared.reads,
        "inputs": dict(inputs),
        "space": [space.name, space.classes, space.not_in_source, space.rare],
        "data": {split: listing(split, labelled) for split, labelled in declared.splits.items()},
        "files": [digest_file(path) for path in declared.files],
        "code": module_digests(modules(config, name, round)),
        "versions": {package: version(package) for package in _VERSIONS},
    }
    return dict(json.loads(json.dumps(parts, default=str)))


def modules(config: Config, name: str, round: int) -> list[str]:
    """Dotted names of the modules that a stage starts from: its own and its building blocks'."""
    blocks = [(kind, part.name) for kind, part in stage(name).declare(config, round).parts]
    return sorted({module for kind, each in [(STAGES, name), *blocks] for module in kind.modules(each)})


def module_digests(names: Iterable[str], root: Path = PROJECT_ROOT) -> dict[str, str]:
    """Modules, and all that they import from the package under ``root`` -> hash of their syntax trees."""
    digests: dict[str, str] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in digests and not f"{name}.".startswith(_LEFT_OUT):
            digests[name], imported = _module(name, root)
            pending += imported
    return digests


@cache
def _module(name: str, root: Path) -> tuple[str, tuple[str, ...]]:
    """Digest of a module's syntax tree, and the modules of the package that it imports."""
    tree = ast.parse(_file(name, root).read_text(encoding="utf-8"))
    imported = sorted({module for node in ast.walk(tree) for module in _imports(node, root)})
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            # A string that stands alone documents what it stands in or behind.
            texts = [e for e in node.body if isinstance(e, ast.Expr) and isinstance(e.value, ast.Constant)]
            node.body = [entry for entry in node.body if entry not in texts]
    return digest_json(_plain(tree)), tuple(imported)


def _plain(node: Any) -> Any:
    """A syntax tree as nested lists, the same in every version of Python: newer ones add fields, which are empty."""
    if isinstance(node, list):
        return [_plain(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    return [type(node).__name__, *([k, _plain(v)] for k, v in ast.iter_fields(node) if v is not None and v != [])]


def _file(name: str, root: Path) -> Path:
    path = root.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(node: ast.AST, root: Path) -> Iterator[str]:
    """Modules of the package that an import statement names; ``from package import module`` names the module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
        for alias in node.names:
            inside = f"{node.module}.{alias.name}"
            yield inside if _file(inside, root).is_file() else str(node.module)
