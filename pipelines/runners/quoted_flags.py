"""The flags that Beam's source names, found without importing Beam, which takes a second.

Which words are flags, and with which values, is Beam's to know. Here a word is found to be nobody's.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
import re

from pipelines.runners.flag_words import JOB_SERVER_FLAGS, name_of

# Where Beam declares all of its flags, each in quotes. Its docstrings name some more as examples.
_SOURCE = "options/pipeline_options.py"
_QUOTED = re.compile(r"""["'](--[\w-]+)["'=]""")


def list_quoted_flags() -> tuple[str, ...]:
    """Return every flag that Beam or a job server knows, and a few words that are none.

    Nothing where Beam's source is not to be found: then Beam itself is asked.
    """
    spec = find_spec("apache_beam")
    if spec is None or spec.origin is None:
        return ()
    source = Path(spec.origin).parent / _SOURCE
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ()
    quoted = set(_QUOTED.findall(text))
    return tuple(sorted({*quoted, *JOB_SERVER_FLAGS}))


def find_nobodys(flags: Sequence[str], quoted: Sequence[str]) -> list[str]:
    """Return the words that are flags of nobody.

    Args:
        flags: words of a command line, each with its value.
        quoted: the flags that there may be; none where they are not known.

    >>> find_nobodys(["--region=r", "--regoin=r", "word"], ["--region"])
    ['--regoin=r', 'word']
    """
    if not quoted:
        return []
    known = set(quoted)
    # Beam takes some by two names.
    return [flag for flag in flags if not {name_of(flag), flag.partition("=")[0]} & known]
