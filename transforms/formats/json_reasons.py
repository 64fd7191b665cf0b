"""What is wrong with a line that pyarrow's parser does not take, in words that quote no value."""

from collections import Counter
from collections.abc import Sequence
import json
from typing import Any, TypeAlias

from configs.errors import RowError

# Of an object its pairs, as a name may stand in it twice; of numbers their text, however long.
_DECODER = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)
# To look at a line takes twenty times its size in memory.
_MOST_EXPLAINED_BYTES = 1 << 20
_SEVERAL = RowError("line holds several JSON values; write one a line")
_DEEP = RowError("line is JSON of too many levels, or none")
_Pairs: TypeAlias = Sequence[tuple[str, Any]]


def explain_syntax(line: bytes, names: Sequence[str]) -> RowError | None:
    """Return what is wrong with a line as JSON; None if it is one object, each name there once.

    Args:
        line: in UTF-8.
        names: of the columns that are read; of others nothing is said.
    """
    if len(line) > _MOST_EXPLAINED_BYTES:
        return None
    text = line.decode()
    try:
        pairs: _Pairs = _DECODER.decode(text)
    except RecursionError:
        return _DEEP
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return _SEVERAL
        # It tells the kind of mistake, and quotes nothing.
        return RowError(f"line is no JSON: {error.msg} at character {error.pos}")
    return _find_repeated(pairs, names)


def _find_repeated(pairs: _Pairs, names: Sequence[str]) -> RowError | None:
    counts = Counter(name for name, _ in pairs)
    for name in names:
        times = counts[name]
        if times > 1:
            return RowError(f"column {name!r}: stands {times} times in the line")
    return None
