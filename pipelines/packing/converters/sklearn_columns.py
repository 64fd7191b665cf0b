"""The preprocessing of a scikit-learn Pipeline -> an ONNX graph in float64, and a step for its categories.

Numbers go through the transformers' own arithmetic, in their order. Columns of categories become
codes by the program's `ordinal` step, and a code is looked up in a table of what the transformers
themselves made of each category, of a missing one, and of one that they never saw:

    age, income -> numbers (rows, 2) -> impute -> scale --------------+
    city        -> ordinal -> codes (rows, 1) -> Gather from a table -+-> Concat -> features
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import JobError
from model_zoo.steps.columns import Scalar
from model_zoo.steps.encode import Ordinal
from pipelines.packing.converters.sklearn_numbers import add_stage

# Texts that no table holds: Unicode keeps these letters for private use.
MISSING = "\ue000missing"
_UNKNOWN = "\ue000unknown"
_ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")


@dataclass
class Columns:
    """The graph as it grows.

    Attributes:
        types: Arrow types of the columns, by name.
        numbers, codes: columns of the two inputs, in order.
        steps: that make codes of categories.
        fill: what takes the place of a missing category, by column.
    """

    types: dict[str, pa.DataType]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    steps: list[Ordinal] = field(default_factory=list)
    fill: dict[str, Scalar] = field(default_factory=dict)

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""
        from onnx import helper

        # The number makes it a name of its own.
        output = f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [output], **attributes)
        self.nodes.append(node)
        return output

    def hold(self, values: Any) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        array = np.asarray(values)
        constant = numpy_helper.from_array(array, name)
        self.constants.append(constant)
        return name

    def add_numbers(self, transformer: Any, names: Sequence[str]) -> str:
        """Add columns of numbers with what is done to them, and return the name of the result.

        Args:
            transformer: fitted.
            names: of the columns.
        """
        start = len(self.numbers)
        self.numbers.extend(names)
        stop = len(self.numbers)
        positions = np.arange(start, stop, dtype=np.int64)
        held = self.hold(positions)
        features = self.add("Gather", ["numbers", held], axis=1)
        return add_stage(self, transformer, features)

    def add_categories(self, transformer: Any, names: Sequence[str]) -> str:
        """Add columns of categories with what is made of them, and return the name of the result.

        Args:
            transformer: fitted, with an encoder in it.
            names: of the columns.

        Raises:
            JobError: what it makes of a column depends on another one.
        """
        start = len(self.codes)
        encoded = _Encoded(transformer, names, self.types)
        known = [encoded.list_known(number) for number in range(len(names))]
        base = [values[0] for values in known]
        width = encoded.transform([base]).shape[1]
        # The column that each feature is made of; -1 as long as none is found.
        owners = np.full(width, -1)
        tables = []
        for number, name in enumerate(names):
            table, is_unknown_taken = encoded.make_table(base, number, known[number])
            mine = _find_changes(table)
            if (owners[mine] >= 0).any():
                kind = type(transformer).__name__
                raise JobError(f"{kind}: what it makes of {name!r} depends on other columns")
            owners[mine] = number
            tables.append(table)
            self._add_codes(name, known[number], is_unknown_taken)
        # What no category changes is in every table alike.
        owners[owners < 0] = 0
        return self._join_tables(tables, owners, start)

    def _join_tables(self, tables: list[np.ndarray], owners: np.ndarray, start: int) -> str:
        """Add a look-up in each column's table, and return the name of all features together.

        Args:
            tables: of each column, float64 (codes, features).
            owners: number of the table that each feature is taken from.
            start: place of the first column among the codes.
        """
        looked_up = []
        order: list[int] = []
        for number, table in enumerate(tables):
            mine = np.flatnonzero(owners == number)
            if not len(mine):
                continue
            # By one number and not by a list of one, so that the codes are (rows,).
            place = self.hold(np.int64(start + number))
            code = self.add("Gather", ["codes", place], axis=1)
            held = self.hold(table[:, mine])
            features = self.add("Gather", [held, code], axis=0)
            looked_up.append(features)
            order.extend(mine.tolist())
        joined = self.add("Concat", looked_up, axis=1)
        # Back to the order that the transformer gives.
        places = self.hold(np.argsort(order))
        return self.add("Gather", [joined, places], axis=1)

    def _add_codes(self, name: str, known: list[Any], is_unknown_taken: bool) -> None:
        if name in self.codes:
            raise JobError(
                f"column {name!r} is encoded twice; give the second one a name of its own"
            )
        self.codes.append(name)
        if None in known:
            self.fill[name] = MISSING
        values = tuple(MISSING if value is None else value for value in known)
        step = Ordinal(
            step="ordinal",
            columns=(name,),
            unknown="code" if is_unknown_taken else "reject",
            # The row behind those of the categories, which is of an unknown one.
            unknown_code=len(values),
            categories=(values,),
        )
        self.steps.append(step)

    def list_used(self) -> tuple[str, ...]:
        """Return the columns that anything is made of.

        Raises:
            JobError: one is taken both as a number and as a category.
        """
        both = sorted(set(self.numbers).intersection(self.codes))
        if both:
            raise JobError(
                f"column {both[0]!r} is encoded, and taken as a number, too; drop one of them"
            )
        # A column of numbers may be taken several times.
        used = dict.fromkeys((*self.numbers, *self.codes))
        return tuple(used)


@dataclass(frozen=True)
class _Encoded:
    """Columns and the transformer that encodes them, which shows on made rows what it does.

    Attributes:
        transformer: fitted, with an encoder in it.
        names: of the columns, in its order.
        types: Arrow types of the columns, by name.
    """

    transformer: Any
    names: Sequence[str]
    types: dict[str, pa.DataType]

    def list_known(self, number: int) -> list[Any]:
        """Return the categories of a column, and None last where a missing one is taken."""
        # A dict for its order: each category once, as the encoders list them.
        found: dict[Any, None] = {}
        for encoder in _list_parts(self.transformer):
            categories = getattr(encoder, "categories_", None)
            # An encoder behind another one may see other columns than these.
            if categories is None or len(categories) != len(self.names):
                continue
            for value in _list_present(categories[number]):
                found[value] = None
        if not found:
            raise JobError(f"column {self.names[number]!r}: its encoder knows no categories")
        known: list[Any] = list(found)
        # A missing number cannot be told from a category of numbers once it has a code.
        if self._is_text(number) and self._is_taken(number, None):
            known.append(None)
        return known

    def make_table(self, base: list[Any], number: int, known: list[Any]) -> tuple[np.ndarray, bool]:
        """Return what is made of each known category, and of an unknown one where that is taken.

        Args:
            base: a known category of each column.
            number: of the column.
            known: its categories.
        """
        values = list(known)
        unknown = self._choose_unknown(number, known)
        is_taken = self._is_taken(number, unknown)
        if is_taken:
            values.append(unknown)
        rows = []
        for value in values:
            row = list(base)
            row[number] = value
            rows.append(row)
        return self.transform(rows), is_taken

    def transform(self, rows: list[list[Any]]) -> np.ndarray:
        """Return what scikit-learn makes of rows, float64 (rows, features)."""
        columns = {}
        for number, name in enumerate(self.names):
            values = [row[number] for row in rows]
            columns[name] = pa.array(values, type=self.types[name])
        # As pandas reads a file, which is what a pipeline is called on.
        frame = pa.table(columns).to_pandas()
        with warnings.catch_warnings():
            # That a category is unknown is what is asked.
            warnings.simplefilter("ignore", UserWarning)
            found = self.transformer.transform(frame)
        # OneHotEncoder gives a sparse matrix unless it is told not to.
        if hasattr(found, "toarray"):
            found = found.toarray()
        return np.asarray(found, np.float64)

    def _is_text(self, number: int) -> bool:
        name = self.names[number]
        return bool(pa.types.is_string(self.types[name]))

    def _choose_unknown(self, number: int, known: list[Any]) -> Any:
        """Return a value that is none of a column's categories."""
        if self._is_text(number):
            return _UNKNOWN
        numbers = [value for value in known if value is not None]
        return max(numbers, default=0) + 1

    def _is_taken(self, number: int, value: Any) -> bool:
        """Tell whether scikit-learn takes a value, with a known category in each other column."""
        parts = _list_parts(self.transformer)
        encoder = next(part for part in parts if hasattr(part, "categories_"))
        row: list[Any] = []
        for other in range(len(self.names)):
            present = _list_present(encoder.categories_[other])
            row.append(present[0])
        row[number] = value
        try:
            self.transform([row])
        except (ValueError, TypeError):
            return False
        return True


def has_encoder(transformer: Any) -> bool:
    """Tell whether a transformer makes numbers of categories."""
    kinds = [type(part).__name__ for part in _list_parts(transformer)]
    return any(kind in _ENCODERS for kind in kinds)


def _list_parts(transformer: Any) -> list[Any]:
    if type(transformer).__name__ == "Pipeline":
        return [part for _, part in transformer.steps]
    return [transformer]


def _list_present(categories: np.ndarray) -> list[Any]:
    """Return an encoder's categories without the missing one, which stands among them."""
    values = categories.tolist()
    return [value for value in values if not pd.isna(value)]


def _find_changes(table: np.ndarray) -> np.ndarray:
    """Return a mask of the features that are not the same for each category, bool (features,).

    Args:
        table: what is made of each category, (categories, features).
    """
    first = table[0]
    # NaN is no change of NaN, and not equal to it either.
    is_same = np.isnan(table) & np.isnan(first)
    changes = (table != first) & ~is_same
    return changes.any(axis=0)
