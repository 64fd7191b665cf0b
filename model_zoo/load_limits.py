"""Load a package under a stated limit of time and memory, whatever a stranger put into it.

Each way to fill the memory that is known is refused where it arises. This is for those that nobody
has thought of: the load is left behind, and the process ends with one line and not by the system.
"""

from collections.abc import Callable
from concurrent import futures
from pathlib import Path
import resource
import time
from typing import TypeVar

from configs.errors import ModelError
from model_zoo.package.card import ModelCard
from model_zoo.scoring.daemon_threads import DaemonThreads

T = TypeVar("T")
# Machine code of a large network takes minutes to make.
LOAD_SECONDS = 1800.0
# What CUDA, a compiler and a smoke batch take beside the weights.
LOAD_BYTES = 8 << 30
# The file, its tensors, the network that proves itself, the one that scores, and what those were
# made of, for each of several devices.
LOAD_BYTES_OF_ONE = 20
_LOOK_EVERY_SECONDS = 0.05
_PAGES = Path("/proc/self/statm")


def load_within_limits(load: Callable[[], T], url: str, card: ModelCard) -> T:
    """Load, and return what was loaded.

    Args:
        load: all that is to be done with the package.
        url: of the package, for messages.
        card: of the package.

    Raises:
        ModelError: it took longer than `LOAD_SECONDS`, or more memory than `LOAD_BYTES` and
            `LOAD_BYTES_OF_ONE` times the package. Of memory only Linux tells.
        Exception: whatever the load raises.
    """
    files = card.files.values()
    delivered = sum(file.bytes for file in files)
    most_bytes = LOAD_BYTES + LOAD_BYTES_OF_ONE * delivered
    before = _count_resident_bytes()
    began = time.monotonic()
    # On a thread that can be left behind, as the code of libraries cannot be interrupted.
    threads = DaemonThreads(1, "package-load")
    done = threads.submit(load)
    while not futures.wait([done], timeout=_LOOK_EVERY_SECONDS).done:
        if time.monotonic() - began > LOAD_SECONDS:
            raise ModelError(
                f"{url}: loading the package took longer than {LOAD_SECONDS:g} s; "
                "pack a smaller model, or look what is in it"
            )
        taken = _count_resident_bytes() - before
        if taken > most_bytes:
            raise ModelError(
                f"{url}: loading the package took {taken:,} bytes of memory, more than the "
                f"{most_bytes:,} that a package of {delivered:,} bytes may; "
                "look what is in it"
            )
    return done.result()


def _count_resident_bytes() -> int:
    """Return the memory that this process has now; 0 where the system does not tell."""
    try:
        pages = _PAGES.read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()
