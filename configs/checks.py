"""The section `checks` of a scoring job: what the rows that are read must be like."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

OnFailure: TypeAlias = Literal["reject", "warn", "hold"]
# Each is counted by itself, under this name.
RULES = ("min", "max", "allowed", "matches", "not_null", "newest_within", "unique")
# Rules of a column as a whole, which no row of it fails by itself.
_OF_COLUMNS = ("newest_within", "unique")
_DURATION = r"^[1-9]\d{0,5} (minute|hour|day|week)s?$"


def _as_text(value: object) -> object:
    """Return a date as YAML reads it (2026-01-31, without quotes) as the text that it was."""
    # A time of day, too, which is a date to Python.
    if isinstance(value, date):
        return value.isoformat()
    return value


# A text beside a column of dates or times is one of them.
Bound: TypeAlias = Annotated[int | float | str, BeforeValidator(_as_text)]
Value: TypeAlias = Annotated[bool | int | float | str, BeforeValidator(_as_text)]


class Check(BaseModel):
    """What the values of one column must be like. A missing one passes, but for `not_null`.

    Attributes:
        min, max: the least and the greatest value; NaN is in no range.
        allowed: all values that may be there.
        matches: a regular expression (RE2) of the whole text.
        not_null: that no value is missing.
        newest_within: how old the newest date or time may be when the run is planned: `36 hours`.
        unique: that no value stands in two rows of the run.
        on_failure: what a value that fails does: `reject` its row; `warn`; or `hold` the run.
        mostly: `warn` and `hold`: the share of values that must pass; by default all.
    """

    # An unknown key is a misspelt one, as in all other sections.
    model_config = ConfigDict(frozen=True, extra="forbid")

    min: Bound | None = None
    max: Bound | None = None
    allowed: tuple[Value, ...] | None = Field(default=None, min_length=1)
    matches: str | None = Field(default=None, min_length=1)
    not_null: bool = False
    newest_within: str | None = Field(default=None, pattern=_DURATION)
    unique: bool = False
    on_failure: OnFailure
    mostly: float = Field(default=1.0, gt=0, le=1)

    @property
    def rules(self) -> dict[str, Any]:
        """Return what is asked for, by the name of the rule."""
        wanted = {}
        for name in RULES:
            value = getattr(self, name)
            # Not by `in`: 0 is equal to False.
            if value is not None and value is not False:
                wanted[name] = value
        return wanted

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.rules:
            names = ", ".join(RULES)
            raise ValueError(f"asks for nothing; name at least one of {names}")
        # A row is rejected for its own sake, whatever the others are like.
        if self.on_failure == "reject" and self.mostly < 1:
            raise ValueError("mostly is for warn and hold: a row that fails is rejected alone")
        of_column = [name for name in _OF_COLUMNS if name in self.rules]
        if of_column and self.on_failure == "reject":
            raise ValueError(f"{of_column[0]} is for warn and hold: no row fails it by itself")
        return self


def _one_or_many(value: object) -> object:
    if isinstance(value, Mapping):
        return (value,)
    return value


# Of a column, one or several: what fails may matter less the nearer it is.
ChecksOfColumn: TypeAlias = Annotated[
    tuple[Check, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_many),
]
Checks: TypeAlias = dict[str, ChecksOfColumn]
