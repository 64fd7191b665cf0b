"""Words of a command line as YAML, which fields of a job are overridden with."""

from collections.abc import Sequence
import json
import sys

from configs.errors import JobError
from pipelines.cli.terminal import make_unicode


def to_yaml(text: str) -> str:
    """Return a text as YAML of the same text.

    Args:
        text: a word of the command line, often a path.

    Raises:
        JobError: it holds bytes that are no letters here.
    """
    if make_unicode(text) != text:
        lower = sys.getfilesystemencoding()
        encoding = lower.upper()
        raise JobError(f"{text}: this path is not {encoding}; {_find_way_out(encoding)}")
    # JSON is YAML too, in which a single-quoted text would lose its line breaks.
    return json.dumps(text, ensure_ascii=False)


def to_yaml_list(texts: Sequence[str]) -> str:
    """Return texts as YAML of a list of them; see `to_yaml`."""
    written = ", ".join(map(to_yaml, texts))
    return f"[{written}]"


def _find_way_out(encoding: str) -> str:
    """Return what to do about a name that is not in the encoding of names here.

    >>> _find_way_out("ASCII")
    'set LC_ALL=C.UTF-8, as it may be UTF-8, or rename the file or folder'
    """
    rename = "rename the file or folder"
    # Where letters are bytes of ASCII, the name is most likely as it should be.
    return rename if encoding == "UTF-8" else f"set LC_ALL=C.UTF-8, as it may be UTF-8, or {rename}"
