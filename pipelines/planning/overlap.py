"""An input and an output that lie in each other are refused, before anything is written.

Else the first night would go well, and the second would find the scores of the first among its
inputs. So only names are compared, never what there is tonight.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
import os

from configs.errors import InputError, JobError
from storage import files
from storage.patterns import Pattern, find_parts_below, split_pattern


def refuse_overlap(paths: Sequence[str], output: str) -> None:
    """Refuse an input below the output, and an output where a path of the input may lead.

    Args:
        paths: files, folders and globs, as absolute paths or URLs.
        output: the output folder, as one of these.

    Raises:
        JobError: the first such path.
    """
    outputs = list(_list_spellings(output))
    for path in paths:
        for pattern in _list_patterns(path):
            if any(pattern.may_lead_into(folder) for folder in outputs):
                raise JobError(
                    f"sink.path {output}: lies where source.paths {path} may lead, so scores would "
                    "become input; choose an output folder beside the input"
                )
            below = [find_parts_below(pattern.root, folder) for folder in outputs]
            if any(parts is not None for parts in below):
                raise JobError(
                    f"source.paths {path}: lies in sink.path {output}, where only scores belong; "
                    "choose an output folder beside the input"
                )


def _list_patterns(path: str) -> Iterator[Pattern]:
    """Yield what a path may mean: a pattern, or a name that happens to hold a star."""
    for spelling in _list_spellings(path):
        yield Pattern(spelling)
    # Whatever is wrong with a pattern is told when it is listed.
    with suppress(InputError):
        pattern = split_pattern(path)
        for root in _list_spellings(pattern.root):
            yield Pattern(root, pattern.parts)


def _list_spellings(path: str) -> Iterator[str]:
    """Yield a path as it is written, and of a disk where it leads through links."""
    path = path.rstrip("/")
    yield path
    if files.is_local(path):
        real = os.path.realpath(path)
        yield "" if real == "/" else real
