"""The preprocessing of a scikit-learn Pipeline -> an ONNX graph in float64, and a step for its categories.

Numbers go through the transformers' own arithmetic, in their order. Columns of categories become
codes by the program's `ordinal` step, and a code is looked up in a table of what the transformers
themselves made of each category, of a missing one, and of one that they never saw:

    age, income -> numbers (rows, 2) -> impute -> scale --------------+
    city        -> ordinal -> codes (rows, 1) -> Gather from a table -+-> Concat -> features
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa

from model_zoo.steps.columns import Scalar
from model_zoo.steps.encode import Ordinal
from pipelines.packing.converters.converted import NoGraphError
from pipelines.packing.converters.graph_features import Features
from pipelines.packing.converters.sklearn_numbers import add_stage

# Texts that no table holds: Unicode keeps these letters for private use.
MISSING = "\ue000missing"
_UNKNOWN = "\ue000unknown"
_ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
Types: TypeAlias = dict[str, pa.DataType]
Tables: TypeAlias = list[np.ndarray]
# Values that a column may have, in the order of their codes.
Categories: TypeAlias = list[Any]


@dataclass
class Columns:
    """The graph as it grows.

    Attributes:
        types: Arrow types of the columns, by name.
        numbers, codes: columns of the two inputs, in order.
        steps: that make codes of categories.
        fill: what takes the place of a missing category, by column.
    """

    types: Types
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
        number = len(self.nodes)
        kind = operator.lower()
        output = f"{kind}_{number}"
        node = helper.make_node(
            operator,
            inputs=list(inputs),
            outputs=[output],
            **attributes,
        )
        self.nodes.append(node)
        return output

    def hold(self, values: Any) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        number = len(self.constants)
        name = f"constant_{number}"
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
        positions = np.arange(start, stop)
        numbers = Features(self, "numbers")
        features = numbers.take_columns(positions)
        return add_stage(self, transformer, features.name)

    def add_categories(self, transformer: Any, names: Sequence[str]) -> str:
        """Add columns of categories with what is made of them, and return the name of the result.

        Args:
            transformer: fitted, with an encoder in it.
            names: of the columns.

        Raises:
            NoGraphError: what it makes of a column depends on another one.
        """
        start = len(self.codes)
        encoded = _Encoded(transformer, names, self.types)
        known = encoded.list_all_known()
        base = [categories[0] for categories in known]
        features = encoded.transform([base])
        _, width = features.shape
        # The column that each feature is made of; -1 as long as none is found.
        owners = np.full(width, -1)
        tables = []
        for number, name in enumerate(names):
            categories = known[number]
            table = encoded.make_table(base, number, categories)
            mine = _find_changes(table.features)
            is_owned = owners[mine] >= 0
            if is_owned.any():
                kind = type(transformer).__name__
                raise NoGraphError(f"{kind}: what it makes of {name!r} depends on other columns")
            owners[mine] = number
            tables.append(table.features)
            self._add_codes(name, categories, table.is_unknown_taken)
        # What no category changes is in every table alike.
        is_nobodys = owners < 0
        owners[is_nobodys] = 0
        return self._join_tables(tables, owners, start)

    def _join_tables(self, tables: Tables, owners: np.ndarray, start: int) -> str:
        """Add a look-up in each column's table, and return the name of all features together.

        Args:
            tables: of each column, float64 (codes, features).
            owners: number of the table that each feature is taken from.
            start: place of the first column among the codes.
        """
        codes = Features(self, "codes")
        looked_up = []
        order: list[int] = []
        for number, table in enumerate(tables):
            mine = np.flatnonzero(owners == number)
            if not mine.size:
                continue
            # By one number and not by a list of one, so that the codes are (rows,).
            code = codes.take_columns(start + number)
            held = codes.hold(table[:, mine])
            features = held.apply("Gather", code, axis=0)
            looked_up.append(features)
            order += mine.tolist()
        first, *others = looked_up
        joined = first.apply("Concat", *others, axis=1)
        # Back to the order that the transformer gives.
        back = np.argsort(order)
        in_order = joined.take_columns(back)
        return in_order.name

    def _add_codes(self, name: str, known: Categories, is_unknown_taken: bool) -> None:
        if name in self.codes:
            raise NoGraphError(
                f"column {name!r} is encoded twice; give the second one a name of its own"
            )
        self.codes.append(name)
        if None in known:
            self.fill[name] = MISSING
        values = [MISSING if value is None else value for value in known]
        step = Ordinal(
            step="ordinal",
            columns=(name,),
            unknown="code" if is_unknown_taken else "reject",
            # The row behind those of the categories, which is of an unknown one.
            unknown_code=len(values),
            categories=(tuple(values),),
        )
        self.steps.append(step)

    def list_used(self) -> tuple[str, ...]:
        """Return the columns that anything is made of.

        Raises:
            NoGraphError: one is taken both as a number and as a category.
        """
        encoded = set(self.codes)
        both = encoded.intersection(self.numbers)
        if both:
            # The first, so that the message is the same each time.
            name = min(both)
            raise NoGraphError(
                f"column {name!r} is encoded, and taken as a number, too; drop one of them"
            )
        all_of_them = (*self.numbers, *self.codes)
        # A column of numbers may be taken several times.
        used = dict.fromkeys(all_of_them)
        return tuple(used)


class _Table(NamedTuple):
    """What is made of each category of one column.

    Attributes:
        features: float64 (categories, features).
        is_unknown_taken: whether its last row is what an unknown category becomes.
    """

    features: np.ndarray
    is_unknown_taken: bool


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
    types: Types

    def list_all_known(self) -> list[Categories]:
        """Return the categories of each column, and None last where a missing one is taken."""
        all_known = []
        for number, _ in enumerate(self.names):
            known = self._list_known(number)
            # A missing number cannot be told from a category of numbers once it has a code.
            if self._is_text(number) and self._is_taken(number, None):
                known.append(None)
            all_known.append(known)
        return all_known

    def _list_known(self, number: int) -> Categories:
        columns = len(self.names)
        found: Categories = []
        for encoder in _list_parts(self.transformer):
            categories = getattr(encoder, "categories_", ())
            # An encoder behind another one may see other columns than these.
            if len(categories) == columns:
                found += _list_present(categories[number])
        if not found:
            name = self.names[number]
            raise NoGraphError(f"column {name!r}: its encoder knows no categories")
        # Each category once, as the encoders list them.
        each_once = dict.fromkeys(found)
        return list(each_once)

    def make_table(self, base: Categories, number: int, known: Categories) -> _Table:
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
        features = self.transform(rows)
        return _Table(features, is_taken)

    def transform(self, rows: list[list[Any]]) -> np.ndarray:
        """Return what scikit-learn makes of rows, float64 (rows, features)."""
        columns = {}
        for number, name in enumerate(self.names):
            values = [row[number] for row in rows]
            dtype = self.types[name]
            columns[name] = pa.array(values, type=dtype)
        table = pa.table(columns)
        # As pandas reads a file, which is what a pipeline is called on.
        frame = table.to_pandas()
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
        dtype = self.types[name]
        return bool(pa.types.is_string(dtype))

    def _choose_unknown(self, number: int, known: Categories) -> Any:
        """Return a value that is none of a column's categories."""
        if self._is_text(number):
            return _UNKNOWN
        # Among numbers there is never one that is missing.
        largest = max(known, default=0)
        return largest + 1

    def _is_taken(self, number: int, value: Any) -> bool:
        """Tell whether scikit-learn takes a value, with a known category in each other column."""
        parts = _list_parts(self.transformer)
        encoder = next(part for part in parts if hasattr(part, "categories_"))
        row: Categories = []
        for other, _ in enumerate(self.names):
            categories = encoder.categories_[other]
            present = _list_present(categories)
            row.append(present[0])
        row[number] = value
        try:
            self.transform([row])
        except (ValueError, TypeError):
            return False
        return True


def has_encoder(transformer: Any) -> bool:
    """Tell whether a transformer makes numbers of categories."""
    for part in _list_parts(transformer):
        kind = type(part).__name__
        if kind in _ENCODERS:
            return True
    return False


def _list_parts(transformer: Any) -> list[Any]:
    if type(transformer).__name__ == "Pipeline":
        return [part for _, part in transformer.steps]
    return [transformer]


def _list_present(categories: np.ndarray) -> Categories:
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
    has_none = np.isnan(table)
    is_still_none = has_none & has_none[0]
    is_other = table != first
    changes = is_other & ~is_still_none
    return changes.any(axis=0)
