"""Files of torch that hold programs: opened once their owner says so, and told apart by what is in them.

A package never holds one. Its owner's word is needed because reading one runs what it says.
"""

import io
from pathlib import Path
import re
from typing import Literal, TypeAlias
import zipfile

from configs.errors import JobError
from storage import files

Kind: TypeAlias = Literal["exported", "torchscript"]
# What reading does, for whoever has to trust the file.
_DANGERS: dict[Kind, str] = {
    "exported": "torch.export.load falls back to full unpickling, and runs what a planted file says",
    "torchscript": "it is a program, whose operators may read and write files",
}
# Entries that only one kind of archive has; the first that fits tells, so the order matters: a
# compiled program may have an exported one's entries, too.
_MARKS = (
    (re.compile(r".*/aotinductor/.*"), "compiled"),
    (re.compile(r"(.*/)?models/[^/]+\.json|serialized_exported_program\.json"), "exported"),
    (re.compile(r"[^/]+/(code/.*|constants\.pkl)"), "torchscript"),
    (re.compile(r"[^/]+/data\.pkl"), "saved"),
)
_FOUND = {
    "compiled": "a program that AOTInductor compiled for one kind of machine; give the file of "
    "torch.export.save",
    "exported": "a program of torch.export; give it to --exported",
    "torchscript": "a TorchScript program; give it to --torchscript",
    "saved": "what torch.save wrote, a state dict or a whole model, and no program; give a state dict "
    "to --weights, with --network for its class",
}


def find_program(kind: Kind, url: str, is_trusted: bool) -> Path:
    """Return the path of a program's file.

    Args:
        kind: what the file is said to hold, which is also the flag that names it.
        url: of the file.
        is_trusted: whether the job says `trust_this_file`; nothing is opened without.

    Raises:
        JobError: there is no such file, nobody vouches for it, or it holds something else.
    """
    path = Path(files.to_absolute(url))
    if not path.is_file():
        raise JobError(f"{kind} {url}: there is no such file")
    if not is_trusted:
        raise JobError(
            f"{kind} {url}: reading it can run code ({_DANGERS[kind]}), and it was not opened; say "
            "trust_this_file if you wrote it yourself (a package never holds it)"
        )
    found = _tell_kind(path)
    if found is None:
        raise JobError(
            f"{kind} {url}: is no whole file of torch, but one of another kind, or cut off; copy it "
            "again, or save it again"
        )
    if found != kind:
        raise JobError(f"{kind} {url}: holds {_FOUND[found]}")
    return path


def describe_program(content: bytes) -> str | None:
    """Return what a file is and where it goes; None where it is no program."""
    kind = _tell_kind(io.BytesIO(content))
    return None if kind in (None, "saved") else _FOUND[str(kind)]


def _tell_kind(file: Path | io.BytesIO) -> str | None:
    """Return what an archive holds; None where it is no archive of torch."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return None
    for mark, kind in _MARKS:
        if any(mark.fullmatch(name) for name in names):
            return kind
    return None
