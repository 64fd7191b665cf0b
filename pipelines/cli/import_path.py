"""Where programs and their workers import from.

That is what is installed, what PYTHONPATH names, and not by accident the current folder: `python
-m` puts it first on the import path, and a `torch.py` or `my_steps.py` that happens to lie there
would run.
"""

import os
from pathlib import Path
import sys
import sysconfig

_BAD_USAGE = 2
_ROOT = str(Path(__file__).parents[2])
# Folders of installed packages, in the words of sysconfig; it puts them together anew whenever it is asked.
_PACKAGES = [sysconfig.get_path(kind) for kind in ("purelib", "platlib")]


def leave_out_current_folder() -> None:
    """Take the current folder off the import path of a program that `python -m` starts.

    It stays where this package or PYTHONPATH is there. Nothing happens when some other program
    imports this package.
    """
    # While Python looks for the module of `-m`, the first argument is the flag itself.
    is_starting = sys.argv[:1] == ["-m"]
    if not is_starting:
        return
    here = _find_current_folder()
    wanted = (_ROOT, *_list_named_folders())
    if here in wanted:
        return

    others = [entry for entry in sys.path if not _is_folder(entry, here)]
    # In place: other modules hold the list.
    sys.path[:] = others


def _find_current_folder() -> str:
    """Return the current folder, or end the program: each relative path would be of a folder that is gone."""
    try:
        return str(Path.cwd())
    except FileNotFoundError as error:
        # Here, as what ends programs with a line imports this first.
        print("error: the current folder is gone; go to one that is there", file=sys.stderr)
        raise SystemExit(_BAD_USAGE) from error


def keep_current_folder_from_workers() -> None:
    """Make Python processes that this one starts leave their current folder out, too.

    They still find a checkout's packages.
    """
    folders = _list_named_folders()
    # An installed program is found anyway, and its folder holds more than this.
    if _ROOT not in _PACKAGES:
        folders = [_ROOT, *folders]
    once_each = dict.fromkeys(folders)
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(once_each)


def _is_folder(entry: str, folder: str) -> bool:
    # An empty entry means the current folder.
    if not entry:
        return True
    return os.path.abspath(entry) == folder


def _list_named_folders() -> list[str]:
    """Return folders that the user named in PYTHONPATH."""
    named = os.environ.get("PYTHONPATH", "")
    entries = named.split(os.pathsep)
    # An empty entry is an accident.
    return [os.path.abspath(entry) for entry in entries if entry]
