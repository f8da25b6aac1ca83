"""Building blocks: how a configuration names one, how it is found by that name, and how its parameters are checked."""

import importlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from udamlf.common.errors import UserError, nearest
from udamlf.common.files import PROJECT_ROOT

CONFIGS = PROJECT_ROOT / "configs"
_UNION_TAG = re.compile(r"[A-Z]|constrained-|int$|float$|.*\[")  # what pydantic puts into a location for `A | B`


class Strict(BaseModel):
    """Frozen; an unknown key, a number that is infinite or none is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(BaseModel):
    """A named building block (selector, objective, network) and its parameters, which the block itself checks."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    @property
    def params(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


class Parts:
    """The building blocks of one kind: files of a package that define the same ``word``, found by their names. Only the
    one asked for is imported: a half-written file stops nobody else's run. A name that is a Python keyword has a
    trailing underscore in its file's name. ``kind`` is what it is called in messages."""

    def __init__(self, package: str, word: str, kind: str) -> None:
        self.package, self.word, self.kind = package, word, kind
        self._folder = Path(__file__).parents[1].joinpath(*package.split(".")[1:])

    @cached_property
    def _files(self) -> dict[str, str]:
        defines = re.compile(rf"^(class {self.word}\b|{self.word} *[:=])", re.MULTILINE)
        files = [file for file in sorted(self._folder.glob("*.py")) if defines.search(file.read_text(encoding="utf-8"))]
        return {file.stem.rstrip("_"): file.stem for file in files}

    def names(self) -> list[str]:
        """Names accepted by ``find``."""
        return list(self._files)

    def modules(self, name: str) -> list[str]:
        """Dotted name of a part's module; those of HOST+NAME. UserError for an unknown part, with the nearest."""
        names = name.split("+")
        for part in names:
            if part not in self._files:
                file = self._folder / f"{part}.py"
                found = f"{file} has no class {self.word}" if file.is_file() else f"unknown {self.kind} {part!r}"
                raise UserError(found, " | ".join(self._files), nearest(part, self.names()))
        return [f"{self.package}.{self._files[part]}" for part in names]

    def find(self, name: str) -> Any:
        """The part's class (or object); of HOST+NAME what NAME's function ``on`` makes of HOST's. UserError for an
        unknown one, with the nearest, or a broken file."""
        host, module = name.rpartition("+")[0], self.modules(name)[-1]
        try:
            imported = importlib.import_module(module)
            return imported.on(self.find(host)) if host else getattr(imported, self.word)
        except UserError:
            raise
        except Exception as error:  # whatever a half-written file does
            expected = "a module that can be imported; that of NAME in HOST+NAME has a function `on` (hiast+mic)"
            raised = [f for f in extract_tb(error.__traceback__) if Path(f.filename).parent == self._folder]
            where = f"{raised[-1].filename}:{raised[-1].lineno}" if raised else module
            if isinstance(error, SyntaxError):
                where = f"{error.filename}:{error.lineno}"
            raise UserError(f"{self.kind} {name}: {where}: {type(error).__name__}: {error}", expected) from error

    def params(self, part: Part, where: str = "") -> Any:
        """A part's checked parameters. UserError: unknown part or parameter, or a value out of range."""
        return validated(self.find(part.name).Params, part.params, f"{where}{self.kind} {part.name}")


def validated(model: type[Any], tree: Any, where: str) -> Any:
    """The tree as ``model``, also a dataclass. UserError that starts with ``where``: key, fault, nearest valid key."""
    try:
        return TypeAdapter(model).validate_python(tree)
    except ValidationError as error:
        # An unknown key first: it may be why another is missing. Of a union the member that fits furthest.
        errors = sorted(error.errors(), key=lambda e: -len(e["loc"]))
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        unknown = first["loc"][-1:] if first["type"] == "extra_forbidden" else ()  # may look like a tag
        above = first["loc"][: len(first["loc"]) - len(unknown)]
        location = [*(k for k in above if not (isinstance(k, str) and _UNION_TAG.match(k))), *unknown]
        key = ".".join(str(k) for k in location)
        if first["type"] == "extra_forbidden":
            valid = _fields_at(model, location[:-1])
            hint = nearest(str(location[-1]), valid) if valid else ""
            raise UserError(f"{where}: unknown key {key!r}", "a known key", hint) from error
        at = f"{where}: {key}" if key else where
        if first["type"] == "missing":
            raise UserError(f"{at} is missing", "a value for it") from error
        found = None if isinstance(first["input"], Mapping) else repr(first["input"])[:60]  # None: a block
        said = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if first["type"] == "value_error":  # our own words, which say what would be right
            raise UserError(f"{at}: {said} (found {found})" if found else f"{at}: {said}") from error
        expected = re.sub(r"a valid dictionary or instance of \w+", "a block of keys", said)
        raise UserError(f"{at} is {found or 'a block'}", expected) from error


def _fields_at(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """Valid keys at a position of a model, for the message about an unknown one."""
    for key in path:
        field = model.model_fields.get(str(key))
        types = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        plain = (getattr(annotated, "__origin__", annotated) for annotated in types)
        models = [a for a in plain if isinstance(a, type) and issubclass(a, BaseModel)]
        if not models:
            continue
        model = models[0]
    return list(model.model_fields)


def assign(node: Any, key: str, value: Any, where: str, above: str = "") -> None:
    """Set a dotted key of a tree; the entries of a list are numbered from 1, and a key of a list is that of every
    entry. Missing blocks between are made; the models check the rest. UserError that starts with ``where``: no such
    block or entry. ``above``: the key of ``node`` in the tree."""
    step, _, rest = key.partition(".")
    at = f"{above}.{step}" if above else step
    if isinstance(node, list) and not step.isdecimal():
        for entry in node:
            assign(entry, key, value, where, above)
        return
    place: Any = step
    if isinstance(node, list):
        place = int(step) - 1
        if not 0 <= place < len(node):
            raise UserError(f"{where}: {at!r} is not an entry", f"1..{len(node)}")
    elif not isinstance(node, dict):
        raise UserError(f"{where}: {above!r} is a value, not a block", "a known key")
    elif rest and not above and step not in node:
        raise UserError(f"{where}: unknown key {key!r}", "a known key", nearest(step, list(node)))
    if not rest:
        node[place] = value
        return
    if isinstance(node, dict) and node.get(step) is None:
        node[step] = {}
    assign(node[place], rest, value, where, at)


def flatten(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """(dotted key, value) of every leaf; a list of blocks is numbered from 1."""
    if isinstance(tree, (list, tuple)) and tree and isinstance(tree[0], Mapping):
        tree = {str(number): value for number, value in enumerate(tree, 1)}
    if not isinstance(tree, Mapping) or not tree:
        return [(prefix, tree)]
    return [pair for key, value in tree.items() for pair in flatten(value, f"{prefix}.{key}" if prefix else key)]
