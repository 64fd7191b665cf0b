"""A user's own summary, `module:callable`, of a module that the job lists in `monitor.modules`.

The callable takes nothing and returns what has `of`, `merge`, `write` and `read` of `Summary`: a class, as a
rule. Each process imports it by its name. What it raises ends the run, told by class and line alone,
because the text might hold a row's values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
import sys
from typing import Any

from pyarrow import Table

from configs.errors import JobError, crashes_as_errors
from configs.user_code import import_attribute, where_it_failed
from transforms.summaries.chosen_rows import RowPlaces
from transforms.summaries.summary import Columns, Kind, State

_METHODS = ("of", "merge", "write", "read")


@dataclass(frozen=True)
class UsersSummary:
    """A summary that somebody else wrote.

    Attributes:
        function: `module:callable`.
    """

    function: str

    @property
    def name(self) -> str:
        """Return its part of file names, which end with it after a hyphen."""
        return self.function.replace(":", ".")

    def of(self, kind: Kind, columns: Columns, places: RowPlaces | None = None) -> State:
        """Return the state of some rows, wherever they come from; see `Summary.of`."""
        return self._call("of", kind, columns)

    def merge(self, first: State, second: State) -> State:
        """Return the state of the rows of both; see `Summary.merge`."""
        return self._call("merge", first, second)

    def write(self, state: State) -> Table:
        """Return a state as a table; see `Summary.write`."""
        table = self._call("write", state)
        if not isinstance(table, Table):
            kind = type(table).__name__
            raise JobError(
                f"summary {self.function}: write must return a pyarrow.Table, not {kind}"
            )
        return table

    def read(self, table: Table) -> State:
        """Return what was written; see `Summary.read`."""
        return self._call("read", table)

    def _call(self, method: str, *arguments: Any) -> Any:
        users = find_users_summary(self.function)
        return _guard(self.function, method, partial(getattr(users, method), *arguments))


@cache
def find_users_summary(function: str) -> Any:
    """Import `module:callable`, and return what it makes; once in each process.

    Whoever calls this has seen that the module is allowed.

    Raises:
        JobError: it cannot be imported or called, or lacks a method.
    """
    module, _, _ = function.partition(":")
    make = import_attribute(function, "summary")
    # What the module itself imported belongs to somebody else.
    if not callable(make) or getattr(make, "__module__", None) != module:
        raise JobError(
            f"summary {function}: is neither a class nor a function that {module} defines; "
            "name one that it does"
        )
    made = _guard(function, "making it", make)
    for method in _METHODS:
        if not callable(getattr(made, method, None)):
            wanted = ", ".join(_METHODS)
            raise JobError(f"summary {function}: has no {method}; it needs {wanted}")
    return made


def _guard(function: str, doing: str, call: Callable[[], Any]) -> Any:
    """Call a user's code.

    Args:
        function: that it is of.
        doing: what it is called for, for the message.
        call: the call.
    """
    try:
        with crashes_as_errors():
            return call()
    except Exception as error:  # a user's code may raise anything
        place = where_it_failed(error, _find_file(function))
        raise JobError(f"summary {function}: {doing} fails: {place}; mend it") from error


def _find_file(function: str) -> str:
    module, _, _ = function.partition(":")
    # Of a module in C, or made by hand, there may be none.
    return getattr(sys.modules[module], "__file__", None) or ""
