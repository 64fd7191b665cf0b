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

        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def hold(self, values: Any) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add_numbers(self, transformer: Any, names: Sequence[str]) -> str:
        """Add columns of numbers with what is done to them, and return the name of the result.

        Args:
            transformer: fitted.
            names: of the columns.
        """
        start = len(self.numbers)
        self.numbers.extend(names)
        positions = self.hold(np.arange(start, start + len(names), dtype=np.int64))
        features = self.add("Gather", ["numbers", positions], axis=1)
        return add_stage(self, transformer, features)

    def add_categories(self, transformer: Any, names: Sequence[str]) -> str:
        """Add columns of categories with what is made of them, and return the name of the result.

        Args:
            transformer: fitted, with an encoder in it.
            names: of the columns.

        Raises:
            JobError: what it makes of a column depends on another one.
        """
        known = [self._list_known(transformer, names, number) for number in range(len(names))]
        base = [values[0] for values in known]
        width = _transform(transformer, names, [base], self.types).shape[1]
        owners = np.full(width, -1)
        parts = []
        for number, name in enumerate(names):
            table, is_unknown_taken = self._make_table(transformer, names, base, number, known)
            changes = (table != table[0]) & ~(np.isnan(table) & np.isnan(table[0]))
            mine = changes.any(axis=0)
            if (owners[mine] >= 0).any():
                raise JobError(
                    f"{type(transformer).__name__}: what it makes of {name!r} depends on other columns"
                )
            owners[mine] = number
            parts.append(table)
            self._add_codes(name, known[number], is_unknown_taken)
        # What no category changes is in every table alike.
        owners[owners < 0] = 0
        return self._join_tables(parts, owners, len(self.codes) - len(names))

    def _join_tables(self, tables: list[np.ndarray], owners: np.ndarray, start: int) -> str:
        pieces = []
        order: list[int] = []
        for number, table in enumerate(tables):
            mine = np.flatnonzero(owners == number)
            if not len(mine):
                continue
            code = self.add("Gather", ["codes", self.hold(np.int64(start + number))], axis=1)
            pieces.append(self.add("Gather", [self.hold(table[:, mine]), code], axis=0))
            order.extend(mine.tolist())
        joined = self.add("Concat", pieces, axis=1)
        # Back to the order that the transformer gives.
        return self.add("Gather", [joined, self.hold(np.argsort(order))], axis=1)

    def _add_codes(self, name: str, known: list[Any], is_unknown_taken: bool) -> None:
        if name in self.codes:
            raise JobError(
                f"column {name!r} is encoded twice; give the second one a name of its own"
            )
        self.codes.append(name)
        values = tuple(MISSING if value is None else value for value in known)
        if None in known:
            self.fill[name] = MISSING
        self.steps.append(
            Ordinal(
                step="ordinal",
                columns=(name,),
                unknown="code" if is_unknown_taken else "reject",
                unknown_code=len(values),
                categories=(values,),
            )
        )

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
        return tuple(dict.fromkeys((*self.numbers, *self.codes)))

    def _list_known(self, transformer: Any, names: Sequence[str], number: int) -> list[Any]:
        """Return the categories of a column, and None last where a missing one is taken."""
        found: dict[Any, None] = {}
        for encoder in _list_parts(transformer):
            if hasattr(encoder, "categories_") and len(encoder.categories_) == len(names):
                for value in encoder.categories_[number].tolist():
                    if not pd.isna(value):
                        found[value] = None
        if not found:
            raise JobError(f"column {names[number]!r}: its encoder knows no categories")
        known: list[Any] = list(found)
        # A missing number cannot be told from a category of numbers once it has a code.
        is_text = pa.types.is_string(self.types[names[number]])
        if is_text and self._is_taken(transformer, names, number, None):
            known.append(None)
        return known

    def _is_taken(self, transformer: Any, names: Sequence[str], number: int, value: Any) -> bool:
        """Tell whether scikit-learn takes a value, with a known category in each other column."""
        row: list[Any] = []
        for other in range(len(names)):
            encoder = next(p for p in _list_parts(transformer) if hasattr(p, "categories_"))
            values = [v for v in encoder.categories_[other].tolist() if not pd.isna(v)]
            row.append(values[0])
        row[number] = value
        try:
            _transform(transformer, names, [row], self.types)
        except (ValueError, TypeError):
            return False
        return True

    def _make_table(
        self,
        transformer: Any,
        names: Sequence[str],
        base: list[Any],
        number: int,
        known: list[list[Any]],
    ) -> tuple[np.ndarray, bool]:
        """Return what is made of each known category, and of an unknown one where that is taken."""
        values = list(known[number])
        is_text = pa.types.is_string(self.types[names[number]])
        numbers = [value for value in values if value is not None and not is_text]
        unknown = _UNKNOWN if is_text else max(numbers, default=0) + 1
        is_taken = self._is_taken(transformer, names, number, unknown)
        if is_taken:
            values.append(unknown)
        rows = [[*base[:number], value, *base[number + 1 :]] for value in values]
        return _transform(transformer, names, rows, self.types), is_taken


def has_encoder(transformer: Any) -> bool:
    """Tell whether a transformer makes numbers of categories."""
    return any(type(part).__name__ in _ENCODERS for part in _list_parts(transformer))


def _list_parts(transformer: Any) -> list[Any]:
    if type(transformer).__name__ == "Pipeline":
        return [part for _, part in transformer.steps]
    return [transformer]


def _transform(
    transformer: Any, names: Sequence[str], rows: list[list[Any]], types: dict[str, pa.DataType]
) -> np.ndarray:
    """Return what scikit-learn makes of rows, float64 (rows, features)."""
    table = {
        name: pa.array([row[number] for row in rows], type=types[name])
        for number, name in enumerate(names)
    }
    # As pandas reads a file, which is what a pipeline is called on.
    frame = pa.table(table).to_pandas()
    with warnings.catch_warnings():
        # That a category is unknown is what is asked.
        warnings.simplefilter("ignore", UserWarning)
        found = transformer.transform(frame)
    dense = found.toarray() if hasattr(found, "toarray") else found
    return np.asarray(dense, np.float64)
