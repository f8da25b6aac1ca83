"""Settings as plain trees: set a dotted key, flatten, check against a model; what is refused is told with the nearest
valid name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from udamlf.errors import UserError, nearest

_UNION_TAG = re.compile(r"[A-Z]|constrained-|int$|float$|.*\[")  # what pydantic puts into a location for `A | B`


def assign(tree: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Set a dotted key; the entries of a list are numbered from 1, and a key of a list is that of every entry. Blocks
    between are made when a Part (free keys) or missing; the models check the rest."""
    *path, last = key.split(".")
    node: Any = tree
    for depth, step in enumerate(path):
        if isinstance(node, list):
            node = node[_position(node, step, f"{where}: {'.'.join(path[: depth + 1])!r}")]
            continue
        if step not in node or node[step] is None:
            if depth == 0:
                raise UserError(f"{where}: unknown key {key!r}", "a known key", nearest(step, list(node)))
            node[step] = {}
        node = node[step]
        if not isinstance(node, (dict, list)):
            raise UserError(f"{where}: {'.'.join(path[: depth + 1])!r} is a value, not a block", "a known key")
    if not isinstance(node, list):
        node[last] = value
    elif last.isdigit():
        node[_position(node, last, f"{where}: {key!r}")] = value
    else:
        for entry in node:
            entry[last] = value


def _position(entries: list[Any], number: str, what: str) -> int:
    if not number.isdigit() or not 1 <= int(number) <= len(entries):
        raise UserError(f"{what} is not an entry", f"1..{len(entries)}")
    return int(number) - 1


def flatten(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """(dotted key, value) of every leaf; a list of blocks is numbered from 1."""
    if isinstance(tree, Mapping) and tree:
        return [pair for key, value in tree.items() for pair in flatten(value, f"{prefix}.{key}" if prefix else key)]
    if isinstance(tree, (list, tuple)) and tree and isinstance(tree[0], Mapping):
        return [pair for i, value in enumerate(tree, 1) for pair in flatten(value, f"{prefix}.{i}")]
    return [(prefix, tree)]


def validated(model: type[BaseModel], tree: Any, where: str) -> Any:
    """The tree as ``model``. UserError that starts with ``where``: the key, what is wrong, the nearest valid key."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = _first_error(error)
        location = [k for k in first["loc"] if not (isinstance(k, str) and _UNION_TAG.match(k))]
        key = ".".join(str(k) for k in location)
        if first["type"] == "extra_forbidden":
            valid = _fields_at(model, location[:-1])
            message = f"{where}: unknown key {key!r}"
            raise UserError(message, "a known key", nearest(str(location[-1]), valid)) from error
        found = "" if first["type"] == "missing" else f" (found {str(first.get('input'))[:60]!r})"
        raise UserError(f"{where}: {key}: {first['msg']}{found}", "a valid value") from error


def _fields_at(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """Valid keys at a position of a model, for the message about an unknown one."""
    for key in path:
        field = model.model_fields.get(str(key))
        found = [] if field is None else [a for a in (field.annotation, *getattr(field.annotation, "__args__", ()))]
        models = [a for a in found if isinstance(a, type) and issubclass(a, BaseModel)]
        if not models:
            continue
        model = models[0]
    return list(model.model_fields)


def refused_parameter(error: ValidationError, valid: Sequence[str]) -> tuple[str, str]:
    """What a building block says of its parameters: ("key: problem", hint at the nearest of the ``valid`` names for an
    unknown key, else empty)."""
    first = _first_error(error)
    key = ".".join(str(k) for k in first["loc"])
    unknown = first["type"] == "extra_forbidden" and bool(valid)
    return f"{key}: {first['msg']}", nearest(key, valid) if unknown else ""


def _first_error(error: ValidationError) -> ErrorDetails:
    """The error worth telling: an unknown key if there is one, as it may be why another is missing."""
    errors = error.errors()
    return next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
