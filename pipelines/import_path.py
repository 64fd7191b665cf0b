"""Where programs and their workers import from: what is installed, what PYTHONPATH names, and not by accident the current folder.

`python -m` puts the current folder first on the import path, and a `torch.py` or `my_steps.py` that happens to lie there would run.
"""

import os
from pathlib import Path
import sys
import sysconfig

_ROOT = str(Path(__file__).parent.parent)


def leave_out_current_folder() -> None:
    """Take the current folder off the import path of a program that `python -m` starts, unless this package or PYTHONPATH is there.

    Nothing happens when some other program imports this package.
    """
    here = str(Path.cwd())
    if sys.argv[:1] == ["-m"] and here not in (_ROOT, *_named()):
        sys.path[:] = [entry for entry in sys.path if entry and os.path.abspath(entry) != here]


def keep_current_folder_from_workers() -> None:
    """Make Python processes that this one starts leave their current folder out, too, and still find a checkout's packages."""
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    checkout = [] if _ROOT in packages else [_ROOT]
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*checkout, *_named()]))


def _named() -> list[str]:
    """Folders that the user named; an empty entry of PYTHONPATH means the current folder, and is an accident."""
    return [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
