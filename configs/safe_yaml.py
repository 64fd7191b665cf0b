"""YAML text to plain values: no code, no key twice, nothing that grows far beyond the text.

Comes in: text from a user, or from a model package that nobody has checked yet. While it is
composed its size is counted as if every alias were written out, so that a few lines cannot stand
for a billion values, nor nest until Python gives up.
"""

import re
from typing import Any, NoReturn

import yaml

# A thousand times a large job; a card lists hundreds of columns at most.
MOST_BYTES = 4 << 20
# Values, and parts of long texts, that a document may stand for: some seconds of PyYAML's work.
_LARGEST = 200_000
_CHARACTERS_OF_ONE = 64
# PyYAML calls itself for every level, and Python ends at about 1 000 calls.
_DEEPEST = 64
_TOO_DEEP = f"nested deeper than {_DEEPEST} levels"
# What PyYAML raises for the 31st of June, or an integer without a digit.
_UNEXPECTED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
# What files, Arrow and C take. Beyond it Python's own integers go on, and arithmetic on them takes
# for ever; among them are as many keys with one hash as anybody likes.
_INTEGER_BITS = 64
# As long as any such number is written, base 2 with underscores included.
_INTEGER_CHARACTERS = 2 * _INTEGER_BITS + 8
# Halves of a character that UTF-16 writes as two: alone they are no text, and cannot be stored.
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_MERGE_TAG = "tag:yaml.org,2002:merge"


class NotPlainYaml(ValueError):
    """Text that is not YAML, or not of the plain kind; `str()` says where and why, in one line."""


def parse_yaml(text: str) -> Any:
    """Return the value of one YAML document.

    >>> parse_yaml("a: [1, x]")
    {'a': [1, 'x']}

    Raises:
        NotPlainYaml: it cannot be read, names a Python object, has a key twice, holds an integer of more
            than 64 bits or what is no text, or is too large.
    """
    if len(text) > MOST_BYTES:
        raise NotPlainYaml(f"is larger than {MOST_BYTES >> 20} MiB")
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = ""
        if mark:
            # PyYAML counts from 0, people from 1.
            line = mark.line + 1
            place = f"line {line}: "
        raise NotPlainYaml(f"{place}{error.problem}") from error
    except yaml.YAMLError as error:
        first_line, _, _ = str(error).partition("\n")
        raise NotPlainYaml(first_line) from error
    except _UNEXPECTED as error:
        raise NotPlainYaml(f"a value is not what it looks like: {error}") from error


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once, and whose size and depth have limits."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._size = self._depth = 0
        self._sizes: dict[str, int] = {}
        self._open: list[str] = []

    def need_more_tokens(self) -> Any:
        """Tell whether to scan on before the next token is known, as PyYAML does but for what it costs."""
        # Asked a dozen times a token, and only what may still become a key needs a look.
        if self.tokens and not self.possible_simple_keys:
            return False
        return super().need_more_tokens()

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - PyYAML's own name
        """Scan a bracket, unless too many are open: PyYAML looks a thousand of them ahead for a colon."""
        if self.flow_level >= _DEEPEST:
            self._refuse(_TOO_DEEP, self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = event.anchor
        if self.check_event(yaml.AliasEvent):
            # Python would make a list that holds itself, which nobody who walks it comes out of.
            if anchor in self._open:
                self._refuse(f"{anchor!r} stands inside itself", event.start_mark)
            # PyYAML makes the anchor's node once; it counts again, as if it were written out.
            size = self._sizes.get(anchor, 0)
            self._count(size, event)
            return super().compose_node(parent, index)

        before = self._size
        # Lists and mappings have none.
        text = getattr(event, "value", "")
        if _HALF_CHARACTER.search(text):
            self._refuse(
                "holds half a character (U+D800 to U+DFFF), which is no text", event.start_mark
            )
        size = 1 + len(text) // _CHARACTERS_OF_ONE
        self._count(size, event)
        node = self._compose_deeper(parent, index, event)
        if anchor is not None:
            self._sizes[anchor] = self._size - before
        return node

    def _compose_deeper(
        self,
        parent: Any,
        index: Any,
        event: Any,
    ) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(_TOO_DEEP, event.start_mark)
        anchor = event.anchor
        if anchor is not None:
            self._open.append(anchor)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None:
            self._open.remove(anchor)
        return node

    def _count(self, size: int, event: Any) -> None:
        self._size += size
        if self._size > _LARGEST:
            problem = f"stands for more than {_LARGEST:,} values, with every alias written out"
            self._refuse(problem, event.start_mark)

    def _refuse(self, problem: str, mark: Any) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, problem, mark)


def _construct_mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Return a mapping; PyYAML alone would take the last of two equal keys in silence."""
    seen: set[Any] = set()
    for key_node, _ in node.value:
        # PyYAML refuses keys of other kinds.
        if not isinstance(key_node, yaml.ScalarNode):
            continue
        # `<<` stands for the keys of other mappings, which are merged below.
        if key_node.tag == _MERGE_TAG:
            continue
        key = loader.construct_object(key_node)
        if key in seen:
            problem = f"key {key!r} stands twice"
            raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _construct_integer(loader: _PlainLoader, node: yaml.ScalarNode) -> int:
    """Return an integer, of as many bits as a machine's."""
    number = 0
    is_long = len(node.value) > _INTEGER_CHARACTERS
    if not is_long:
        number = loader.construct_yaml_int(node)
    if is_long or number.bit_length() > _INTEGER_BITS:
        raise yaml.constructor.ConstructorError(
            None,
            None,
            f"an integer of more than {_INTEGER_BITS} bits",
            node.start_mark,
        )
    return number


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _construct_integer)
_PlainLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)
