"""YAML text to plain values: no code, no key twice, and nothing that grows far beyond what was written.

Comes in: text from a user, or from a model package that nobody has checked yet. While it is composed its size is counted as if every
alias were written out, so that a few lines cannot stand for a billion values, nor nest until Python gives up.
"""

from typing import Any, NoReturn

import yaml

MOST_BYTES = 4 << 20
_LARGEST = 200_000
_CHARACTERS_OF_ONE = 64
_DEEPEST = 64
# What PyYAML raises for the 31st of June, or an integer without a digit.
_UNEXPECTED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class NotPlainYaml(ValueError):
    """Text that is not YAML, or not of the plain kind; `str()` says where and why, in one line."""


def parse_yaml(text: str) -> Any:
    """The value of one YAML document.

    >>> parse_yaml("a: [1, x]")
    {'a': [1, 'x']}

    Raises:
        NotPlainYaml: it cannot be read, names a Python object, has a key twice, or is too large.
    """
    if len(text) > MOST_BYTES:
        raise NotPlainYaml(f"is larger than {MOST_BYTES >> 20} MiB")
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotPlainYaml(f"{f'line {mark.line + 1}: ' if mark else ''}{error.problem}") from error
    except yaml.YAMLError as error:
        raise NotPlainYaml(str(error).partition("\n")[0]) from error
    except _UNEXPECTED as error:
        raise NotPlainYaml(f"a value is not what it looks like: {error}") from error


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once, and whose size and depth have limits."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._size = self._depth = 0
        self._sizes: dict[str, int] = {}
        self._open: list[str] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            if event.anchor in self._open:
                self._refuse(f"{event.anchor!r} stands inside itself", event)
            self._count(self._sizes.get(event.anchor, 0), event)
            return super().compose_node(parent, index)
        before, anchor = self._size, event.anchor
        self._count(1 + len(getattr(event, "value", "")) // _CHARACTERS_OF_ONE, event)
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(f"nested deeper than {_DEEPEST} levels", event)
        if anchor is not None:
            self._open.append(anchor)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None:
            self._open.remove(anchor)
            self._sizes[anchor] = self._size - before
        return node

    def _count(self, size: int, event: Any) -> None:
        self._size += size
        if self._size > _LARGEST:
            self._refuse(f"stands for more than {_LARGEST:,} values, with every alias written out", event)

    def _refuse(self, problem: str, event: Any) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)


def _unique_mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            continue  # PyYAML merges the one, and refuses the other
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_PlainLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
