"""Let machine code for a GPU be loaded by a process of its own, before a worker loads it.

On an H200 torch 2.11 ended its process (SIGSEGV) while it loaded machine code that it had just made,
and a worker would be lost with it, without a word. What is lost with a process of its own is one line.
A machine remembers what has passed.
"""

import json
from pathlib import Path
import signal
import subprocess
import sys

import torch

from configs.errors import ModelError
from model_zoo.engines.child.process import list_import_paths
from model_zoo.package import cache

_LOAD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pathlib import Path; import torch; "
    "from model_zoo.engines.torch_private import load_machine_code; "
    "load_machine_code(Path(sys.argv[2]), 1, torch.device(sys.argv[3]))"
)
_FOLDER = "machine-code-trials"
_MOST_SECONDS = 300.0
_SHOWN_CHARACTERS = 300
_FIX = "tune again with --without compile"


def try_machine_code(path: Path, device: torch.device) -> None:
    """Refuse machine code that does not load.

    Args:
        path: the `.pt2` file, whose name says what it was made of, and on which machine.
        device: where it computes.

    Raises:
        ModelError: it does not load, ends its process, or takes longer than any that loads.
    """
    if cache.has_mark(_FOLDER, path.stem):
        return
    paths = json.dumps(list_import_paths())
    command = [sys.executable, "-I", "-c", _LOAD, paths, str(path), str(device)]
    try:
        done = subprocess.run(  # noqa: S603 - Python itself, and words of our own
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ModelError(
            f"machine code for {device} does not load within {_MOST_SECONDS:g} s; {_FIX}"
        ) from late
    if done.returncode != 0:
        how = describe_end(done.returncode, done.stderr)
        raise ModelError(f"machine code for {device} does not load: {how}; {_FIX}")
    cache.leave_mark(_FOLDER, path.stem)


def describe_end(status: int, said: str) -> str:
    r"""Return how a process came to its end, in a few words.

    Args:
        status: its exit status; negative for the signal that ended it.
        said: what it wrote to stderr.

    >>> describe_end(-11, "")
    'its process was ended by SIGSEGV'
    >>> describe_end(1, "Traceback\nRuntimeError: no such file")
    'RuntimeError: no such file'
    """
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    lines = said.strip().splitlines() or [f"its process ended with status {status}"]
    return lines[-1][:_SHOWN_CHARACTERS]
