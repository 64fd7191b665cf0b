"""Keep the caches of libraries where nobody else can put anything.

Libraries load what lies in their caches: machine code (inductor, Triton, CUDA), Python (torch's
hub), settings and fonts (matplotlib, fontconfig). torch's inductor keeps its own in
`/tmp/torchinductor_<user>`, whoever made that folder; others keep theirs at home, which is a shared
folder where HOME says so. Whoever can write there runs code as the scorer, so each cache that could
be somebody else's is named a place in a folder of this user's.
"""

from collections.abc import Mapping
import os
from pathlib import Path
import secrets
import stat
import tempfile
from typing import Any

from configs.errors import JobError
from model_zoo.package.cache import private_folder

_FOLDER = "library-caches"
# The variable that names a cache, and where the library keeps it otherwise; `None` is the temporary
# folder. The base of others comes first: those below are looked for in it.
_CACHES: Mapping[str, str | None] = {
    "XDG_CACHE_HOME": "~/.cache",
    "XDG_CONFIG_HOME": "~/.config",
    "TORCHINDUCTOR_CACHE_DIR": None,
    "TRITON_CACHE_DIR": "~/.triton/cache",
    "TORCH_HOME": "$XDG_CACHE_HOME/torch",
    "TORCH_EXTENSIONS_DIR": "$XDG_CACHE_HOME/torch_extensions",
    "MPLCONFIGDIR": "$XDG_CONFIG_HOME/matplotlib",
    "HF_HOME": "$XDG_CACHE_HOME/huggingface",
    "NUMBA_CACHE_DIR": "$XDG_CACHE_HOME/numba",
    "CUDA_CACHE_PATH": "~/.nv/ComputeCache",
}
# As many as Linux follows.
_MOST_LINKS = 40
_WRITABLE_BY_GROUP = 0o020
_WRITABLE_BY_OTHERS = 0o002


def keep_library_caches_private() -> None:
    """Name a private folder to every library whose cache could be somebody else's.

    What the user has set stands, and so does a place at home that is the user's alone. To be called
    before the libraries are imported; processes that this one starts inherit it.
    """
    ours: Path | None = None
    for name, default in _CACHES.items():
        if name in os.environ:
            continue
        if default is not None and is_private(_expand(default)):
            continue
        # Made only where it is needed.
        if ours is None:
            ours = private_folder(_FOLDER) or _make_up_name()
        folder = ours / name.lower()
        os.environ[name] = str(folder)


def refuse_shared_caches() -> None:
    """Refuse a cache that the user has named and that others may write to.

    Raises:
        JobError: there is one.
    """
    for name in _CACHES:
        named = os.environ.get(name)
        if named and not is_private(Path(named)):
            raise JobError(
                f"{name}: others may put files into the folder that it names, or make it; libraries "
                "run what lies there: name a folder of your own that only you may write to, "
                "or leave it unset"
            )


def is_private(path: Path, links: int = _MOST_LINKS) -> bool:
    """Tell whether only this user, or root, can put something at a path, or make it.

    Links are followed where nobody else can turn them elsewhere.

    Args:
        path: absolute, or below the current folder.
        links: how many may still be followed.

    >>> is_private(Path("/usr/lib")), is_private(Path("/tmp") / "of-anybody")
    (True, False)
    """
    name = os.path.abspath(path)
    absolute = Path(name)
    may_be_made_by_others = False
    for place in (*reversed(absolute.parents), absolute):
        try:
            found = place.lstat()
        except OSError:
            # It is not there, or nobody may look: the folder above decides who can make it.
            return not may_be_made_by_others
        if found.st_uid not in (0, os.getuid()):
            return False
        if stat.S_ISLNK(found.st_mode):
            # One link at a time: the next one may be somebody else's.
            leads_to = place.parent / os.readlink(place)
            target = leads_to / absolute.relative_to(place)
            return links > 0 and is_private(target, links - 1)
        may_be_made_by_others = _is_shared(found)
        # In a sticky folder others can make names, and cannot move what is there.
        if may_be_made_by_others and not found.st_mode & stat.S_ISVTX:
            return False
    return not may_be_made_by_others


def _is_shared(folder: Any) -> bool:
    """Tell whether others than the owner may write to a folder, of which this is the status."""
    if folder.st_mode & _WRITABLE_BY_OTHERS:
        return True
    # Many systems give each user a group of the same number, with nobody else in it.
    is_writable = bool(folder.st_mode & _WRITABLE_BY_GROUP)
    is_own_group = folder.st_gid == folder.st_uid == os.getuid()
    return is_writable and not is_own_group


def _expand(default: str) -> Path:
    """Return the place that a library would take, with the variables as they are set by now."""
    home = Path("~").expanduser()
    for base in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        if default.startswith(f"${base}/"):
            below_base = default.removeprefix(f"${base}/")
            given = os.environ.get(base)
            if given:
                return Path(given) / below_base
            usual = str(_CACHES[base])
            return home / usual.removeprefix("~/") / below_base
    return home / default.removeprefix("~/")


def _make_up_name() -> Path:
    """Return a folder that is not there, under a name that nobody can have taken."""
    # Somebody else has the usual name: without a cache a library computes again what it needs.
    user = os.getuid()
    unguessable = secrets.token_hex(16)
    folder = Path(tempfile.gettempdir())
    return folder / f"{_FOLDER}-{user}-{unguessable}"
