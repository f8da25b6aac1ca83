"""YAML as it is meant: the one place where it is read."""

import re
from functools import lru_cache
from typing import Any

import yaml

from udamlf.common.errors import CONTROL_CHARACTER, UserError
from udamlf.config.parts import CONFIGS

_MOST_NODES = 100_000
_EXPECTED = "YAML: blocks indented by spaces, each key once; what stands behind # is a comment"
_IN_TEXT = re.compile(r'in "<\w+ string>", ')  # PyYAML's word for a text without a file's name


class _Loader(yaml.SafeLoader):
    """PyYAML's own would take the last value of a key that stands twice, and drop the others without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[Any, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue  # several blocks may be merged
            if (first := seen.setdefault((key.tag, key.value), key)) is not key:
                said = f"key {key.value!r} stands there twice"
                raise yaml.MarkedYAMLError(said, key.start_mark, "and before", first.start_mark)
        return node


@lru_cache(maxsize=256)  # a chain resolves some files dozens of times, at 15 ms each
def _loaded(text: bytes | str) -> Any:
    return _Loader(text).get_single_data()


def table(name: str) -> dict[str, Any]:
    """``configs/NAME.yaml``, a mapping."""
    path = CONFIGS / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no file {path}: udamlf is installed without its project", "a clone's", "pip install -e CLONE")
    return mapping(path.read_bytes(), str(path))


def mapping(text: bytes | str, where: str) -> dict[str, Any]:
    """A YAML mapping. UserError that starts with ``where``: see ``read_yaml``, or it is another thing."""
    tree = read_yaml(text, where)
    if not isinstance(tree, dict):
        raise UserError(f"{where} holds {type(tree).__name__}", "a YAML mapping")
    return tree


def read_yaml(text: bytes | str, where: str) -> Any:
    """A YAML value, in which an anchored block is another one at every alias: a value set in one is not set in all.
    UserError that starts with ``where``: none, one with a key twice, one that contains itself or grows without bounds,
    or a text with control characters, which no store takes and a terminal obeys."""
    try:
        tree, left = _loaded(text), iter(range(_MOST_NODES))

        def unshared(node: Any) -> Any:
            next(left)
            if isinstance(node, dict):
                return {unshared(key): unshared(value) for key, value in node.items()}
            if isinstance(node, str) and CONTROL_CHARACTER.search(node):
                raise ValueError(f"a control character in {node[:60]!r}")
            return [unshared(value) for value in node] if isinstance(node, list) else node

        return unshared(tree)
    except (yaml.YAMLError, ValueError, RuntimeError, StopIteration) as error:
        problem = _IN_TEXT.sub("", f"{error}") or f"more than {_MOST_NODES} values, or a block within itself"
        raise UserError(f"{where} is not YAML: {problem}", _EXPECTED) from error
