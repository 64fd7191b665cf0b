"""How many rows of a unit are done, left where the launcher's progress looks, while the unit goes on.

A unit may take minutes, and so may a batch of it where the model is large. Notes are no part of the run: the
launcher shows them, and nobody else reads them.
"""

import threading
import time
from typing import NamedTuple

from storage import files
from storage.run_folder import RunFolder

# No more often: a note is a small file, and a person looks seldom.
_SECONDS = 1.0


class Note(NamedTuple):
    """What a note says.

    Attributes:
        rows: of the unit that are done.
        written: seconds of the wall clock; 0 in notes of earlier versions.
    """

    rows: int
    written: float


class ProgressNote:
    """Leaves notes of one attempt at a unit, at most one a second; several threads may add rows.

    Attributes:
        rows: of the unit that are done.
    """

    def __init__(
        self,
        run: RunFolder,
        unit: int,
        attempt: str,
        rows: int = 0,
    ) -> None:
        self.rows = rows
        self._run = run
        self._name = f"{unit:07d}-{attempt}"
        self._noted = time.monotonic()
        self._lock = threading.Lock()

    def add(self, rows: int) -> None:
        """Count more rows as done.

        Raises:
            OSError: it cannot be noted; where the folder is gone, the run is published or lost.
        """
        with self._lock:
            self.rows += rows
            if time.monotonic() - self._noted < _SECONDS:
                return
            self._noted = time.monotonic()
            content = f"{self.rows} {time.time():.3f}"
        # Not the folders above: an attempt that wakes up late makes none of them again.
        files.make_folder(self._run.progress, above=False)
        note = files.join(self._run.progress, self._name)
        files.put(note, content.encode(), above=False)


def parse_note(content: bytes | None) -> Note | None:
    """Return what a note says; None where it is half written, or zeros where the machine crashed.

    >>> parse_note(b"120 1700000000.5"), parse_note(b"120"), parse_note(b"")
    (Note(rows=120, written=1700000000.5), Note(rows=120, written=0.0), None)
    """
    rows, _, written = (content or b"").partition(b" ")
    if not rows.isdigit():
        return None
    try:
        return Note(int(rows), float(written or 0))
    except ValueError:
        return None
