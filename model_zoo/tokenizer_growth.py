"""How many times its length a tokenizer can make a text, told from its parts before it sees one.

34 parts that each write a letter twice make 16 GB of one letter. Counted backwards, from the last
part to the first: what is a character worth, in characters that come out at the end?

    Replace a -> bb, then Replace b -> cc      c is worth 1, b 2, a 4
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import json
from re import _parser  # type: ignore[attr-defined]
from typing import Any

# A spelled-out emoji has some 40 characters for one.
_MOST_GROWTH = 100
# Real ones have a few; each goes through the whole text.
_MOST_PARTS = 200
# Bytes of a character in UTF-8, for each of which ByteLevel writes one.
_BYTES_OF_A_CHARACTER = 4


def refuse_growth(tokenizer: Any) -> None:
    """Refuse a tokenizer that makes texts, or lists of tokens, many times as long.

    Args:
        tokenizer: of the tokenizers library.

    Raises:
        ValueError: it does.
    """
    if find_growth(tokenizer) > _MOST_GROWTH:
        raise ValueError(
            f"it can make a text more than {_MOST_GROWTH} times as long as the row delivers"
        )
    for part in _list_parts(_describe(tokenizer.post_processor)):
        if _repeats_text(part):
            raise ValueError("it gives the tokens of a text more than once")


def find_growth(tokenizer: Any) -> float:
    """Return how many times its length a text has at most when it is cut into tokens.

    What the library itself decides (forms of Unicode, lower case) is not counted: it is little.

    Raises:
        ValueError: the tokenizer has too many parts to tell.
    """
    parts = [
        *_list_parts(_describe(tokenizer.normalizer)),
        *_list_parts(_describe(tokenizer.pre_tokenizer)),
    ]
    if len(parts) > _MOST_PARTS:
        raise ValueError(f"it has {len(parts):,} parts, more than {_MOST_PARTS}")
    worth = _Worth()
    for part in reversed(parts):
        worth.go_back(part)
    return worth.largest


@dataclass
class _Worth:
    """What characters are worth in the end, as far as the parts were counted back.

    Attributes:
        others: of all characters that `known` does not hold.
        known: of those that a part replaces.
    """

    others: float = 1.0
    known: dict[str, float] = field(default_factory=dict)

    @property
    def largest(self) -> float:
        return max(self.others, *self.known.values(), 0.0)

    def of(self, text: str) -> float:
        lengths = [self.known.get(character, self.others) for character in text]
        return sum(lengths)

    def go_back(self, part: Mapping[str, Any]) -> None:
        """Count one part more, from the end to the start."""
        if part["type"] == "ByteLevel":
            self.others = _BYTES_OF_A_CHARACTER * self.largest
            self.known.clear()
        if part["type"] == "Prepend":
            # Of a text of one character.
            written = self.of(part["prepend"])
            self._add_to_all(written)
        if part["type"] == "Replace":
            self._go_back_over_replacement(part["pattern"], part["content"])

    def _go_back_over_replacement(
        self,
        pattern: Mapping[str, str],
        content: str,
    ) -> None:
        written = self.of(content)
        text = pattern.get("String", "")
        if text:
            for character in text:
                # What is written for a text, spread over its characters.
                share = written / len(text)
                before = self.known.get(character, self.others)
                self.known[character] = max(before, share)
            return
        width = _find_least_width(pattern.get("Regex", ""))
        if width == 0:
            # It may find nothing before every character, and write there.
            self._add_to_all(written)
            return
        share = written / width
        self.others = max(self.others, share)
        for character, value in self.known.items():
            self.known[character] = max(value, share)

    def _add_to_all(self, written: float) -> None:
        self.others += written
        for character, value in self.known.items():
            self.known[character] = value + written


def _describe(part: Any) -> Any:
    """Return a part as the library understood it, in the words of `tokenizer.json`."""
    # Its own JSON, without the vocabulary, which takes a second to go through.
    if part is None:
        return None
    state = part.__getstate__()
    return json.loads(state)


def _list_parts(described: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a part in order."""
    pending = [described]
    while pending:
        part = pending.pop()
        if part is None:
            continue
        if part["type"] != "Sequence":
            yield part
            continue
        lists = [value for value in part.values() if isinstance(value, list)]
        (inner,) = lists
        pending.extend(reversed(inner))


def _repeats_text(part: Mapping[str, Any]) -> bool:
    """Tell whether a template holds the text of a row several times."""
    if part["type"] != "TemplateProcessing":
        return False
    texts = [piece for piece in part["single"] if "Sequence" in piece]
    return len(texts) > 1


def _find_least_width(pattern: str) -> int:
    """Return how many characters a pattern finds at least; 0 where nobody here can tell."""
    # Sets inside sets, which Python warns of, and reads otherwise than the library.
    if "[[" in pattern or "&&" in pattern:
        return 0
    try:
        # Python's own reader of patterns, as nothing public tells; should it go, so does the import.
        parsed = _parser.parse(pattern)
        least, _ = parsed.getwidth()
    except Exception:  # noqa: BLE001 - the library's patterns have words that Python's have not
        return 0
    return int(least)
