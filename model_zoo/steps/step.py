"""The contract of a preprocessing step: a word in a job or a model package, what it does to columns, how it is fitted.

A step is one file in this folder and its line in `table.py`. It names columns and carries its own
fitted state (`mean`, `categories`, ...). State that is None is still to be fitted by training; a
step that scoring meets must be complete (`is_fitted`). No step knows Beam, so training and scoring
run the very same code, and none makes a Python object per row (images and user functions do).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WrapValidator, model_validator

from configs.errors import JobError
from configs.fields import Names
from model_zoo.steps.chosen_columns import ArrowTypes, ChosenColumns, read_columns
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.target import Target

_Names: TypeAlias = Names


def _refuse_repeated(names: _Names) -> _Names:
    different = set(names)
    if len(different) < len(names):
        raise ValueError("names a column twice")
    return names


Widths: TypeAlias = Mapping[str, int]
# 512 MiB of float32 for one row, as a card may have: no real model takes as much.
_MOST_ITEMS = 1 << 27
# Of lists that become an array.
Length: TypeAlias = Annotated[int, Field(ge=1, le=_MOST_ITEMS)]
# A step without columns would do nothing, in silence.
_SomeNames = Annotated[_Names, Field(min_length=1)]
# Or a word, which stands for names once these are known.
AnyColumnNames = Annotated[_SomeNames, WrapValidator(read_columns)]
# Of a step that replaces columns, the second word about one would undo the first.
ColumnNames = Annotated[_SomeNames, AfterValidator(_refuse_repeated), WrapValidator(read_columns)]


class Step(Protocol):
    """A frozen pydantic model with a field `step`, whose only value is the word that jobs write.

    Attributes:
        stage: the stage of the run that its time is counted as, `preprocess` or `decode`.
    """

    stage: ClassVar[str]

    @property
    def step(self) -> Any:
        """Return the word that jobs write for it, a string."""

    @property
    def is_fitted(self) -> bool:
        """Tell whether every fitted value is there."""

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the columns that the step adds or replaces.

        Args:
            columns: Arrow arrays of `rows` values, or numpy arrays (rows, ...), by name.
            rows: their number, for steps that make arrays of their own.

        Raises:
            RejectedRows: rows that the step cannot take. A missing value is none: it stays missing.
            JobError: the step names a column that is not there, or that it is not made for.
            InputError: a value that ends the run, as `unknown: error` of an encoder says.
        """

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        """Return how many numbers of a row the columns have that the step makes wider, or adds.

        Told before anything is made, so that a few words of a step do not fill the memory.

        Args:
            widths: numbers of a row in each column so far.
        """

    def fit(self, columns: Columns) -> Self:
        """Return the step with its fitted values.

        Args:
            columns: training columns, as the steps before this one left them.

        Raises:
            JobError: the step names a column that is not there or that it cannot be fitted on.
            InputError: a column has no value to fit on.
        """

    def fit_to_target(self, columns: Columns, target: Target | None) -> Self:
        """Return the step with its fitted values, where they hang on what is to be predicted, too.

        Args:
            columns: as for `fit`.
            target: of the same rows; None where nobody knows it.

        Raises:
            JobError, InputError: as `fit`; or the step needs a target, and there is none.
        """


class StepModel(BaseModel):
    """What all steps share.

    A step adds `step: Literal["<word>"]`, its fields, and `apply`; one that is fitted also names its
    fitted fields in `fitted`, and adds `fit`.
    """

    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: ClassVar[str] = "preprocess"
    # Whether each of its columns is made of that column alone, and takes its place.
    is_column_wise: ClassVar[bool] = False
    # The fields that training fits, of one entry per column each. The steps declare them, behind
    # their other fields: that is the order of the keys in a package, whose digest depends on it.
    fitted: ClassVar[Names] = ()

    @property
    def is_fitted(self) -> bool:
        """Tell whether its columns have names, and every fitted value is there."""
        columns = getattr(self, "columns", ())
        # A word, whose names training finds out.
        if isinstance(columns, ChosenColumns):
            return False
        state = [getattr(self, name) for name in self.fitted]
        return None not in state

    @property
    def per_column(self) -> Names:
        """Return the fields of one entry per column; of a word, one for each that it stands for."""
        return self.fitted

    @model_validator(mode="after")
    def _has_one_entry_per_column(self) -> Self:
        columns = getattr(self, "columns", ())
        wanted = len(columns)
        for name in self.fitted:
            entries = getattr(self, name)
            # None until training has fitted it.
            if entries is None:
                continue
            given = len(entries)
            if given != wanted:
                raise ValueError(
                    f"{name} must hold one entry per column: {wanted} columns, {given} entries"
                )
        return self

    def name_columns(self, types: ArrowTypes) -> Self:
        """Return the step with the names of its columns in place of a word.

        Args:
            types: of the columns that it may stand for, by name.

        Raises:
            JobError: it stands for none of them.
        """
        word = getattr(self, "columns", ())
        if not isinstance(word, ChosenColumns):
            return self
        names = word.choose(types)
        # The steps declare their word, each for itself, and mypy sees none here.
        step: Any = self
        if not names:
            found = {str(dtype) for dtype in types.values()}
            kinds = ", ".join(sorted(found))
            raise JobError(
                f"preprocess step {step.step}: columns: {word[0]} stands for none of the "
                f"{len(types)} columns, which are of type {kinds}; name columns, or leave it out"
            )
        changes: dict[str, object] = {"columns": names}
        for field in self.per_column:
            entries = getattr(self, field)
            if entries is not None:
                changes[field] = entries * len(names)
        return self.model_copy(update=changes)

    def narrow(self, name: str) -> Self:
        """Return the step for one of its columns, where it is column-wise."""
        # As in `name_columns`.
        step: Any = self
        place = step.columns.index(name)
        changes: dict[str, object] = {"columns": (name,)}
        for field in self.per_column:
            entries = getattr(self, field)
            changes[field] = (entries[place],)
        return self.model_copy(update=changes)

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        """Return nothing: most steps leave columns as wide as they are."""
        return {}

    def fit(self, columns: Columns) -> Self:
        """Return the step as it is."""
        return self

    def fit_to_target(self, columns: Columns, target: Target | None) -> Self:
        """Return the step fitted on the columns alone, as most are.

        Args:
            columns: training columns.
            target: what is to be predicted of them.
        """
        return self.fit(columns)
