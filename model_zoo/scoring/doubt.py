"""The doubt whether it is the rows that fail, or the model that fails on every row."""

from collections.abc import Callable
from dataclasses import dataclass, field
import threading

import numpy as np

from configs.errors import ModelError
from configs.redaction import shown_with_class
from model_zoo.halving import ALONE_BEFORE_DOUBT, spread_rows
from model_zoo.scoring.call import Call, Tensors


@dataclass
class Doubt:
    """Counts single rows that the network fails on, over all calls, until anything goes through.

    Attributes:
        known_row: inputs (1, *shape) of a row that an earlier call scored; None before there is one.
    """

    known_row: Tensors | None = field(default=None, init=False)
    _alone: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def clear(self) -> None:
        """Forget the rows that failed: something went through."""
        self._alone = 0

    def remember_row(self, call: Call) -> None:
        """Keep a row that the call scored, as what a later doubt is settled by."""
        all_rows = range(call.rows)
        scored = (row for row in all_rows if row not in call.rejected)
        row = next(scored, None)
        if row is None:
            return

        known_row = {}
        for name, tensor in call.inputs.items():
            alone = tensor[row : row + 1]
            # A copy: the call's own tensors are let go.
            known_row[name] = alone.clone()
        self.known_row = known_row

    def settle(
        self,
        call: Call,
        error: Exception,
        passes: Callable[[int], bool],
        known_row_passes: Callable[[], bool],
    ) -> None:
        """Count a single row that failed, and once there are some, find out whether it is the model.

        It is if rows from all over the call fail too. A call of few rows cannot tell: it has the
        benefit of the doubt while a row that an earlier call scored still goes through.

        Args:
            call: the call that the row belongs to.
            error: why the row failed.
            passes: whether the network takes a row of the call, alone.
            known_row_passes: whether it still takes the known row.

        Raises:
            ModelError: it is the model.
        """
        # Under a lock: adding up reads and writes, and mini-batches run side by side.
        with self._lock:
            self._alone += 1
            alone = self._alone
        if call.passed or alone < ALONE_BEFORE_DOUBT:
            return
        rows = _choose_others(call)
        if any(map(passes, rows)):
            call.passed = True
        elif len(rows) == ALONE_BEFORE_DOUBT or not known_row_passes():
            raise ModelError(
                f"the model failed on each of {alone + len(rows)} rows that were tried one by one, "
                f"and on no row it did not: {shown_with_class(error)}"
            )
        self.clear()


def _choose_others(call: Call) -> list[int]:
    """Return a few rows of the call that have not failed alone."""
    rejected = list(call.rejected)
    all_rows = np.arange(call.rows)
    others = np.setdiff1d(all_rows, rejected)
    # From all over: where one fails, those beside it often fail too.
    chosen = spread_rows(len(others))
    rows: list[int] = others[chosen].tolist()
    return rows
