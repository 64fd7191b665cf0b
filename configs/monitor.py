"""The section `monitor` of a scoring job: what is computed beside the scores, while rows pass.

And what it is compared with before a run is published, and from which change on people are warned, or
the run is held back.
"""

import re
from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.fields import Url

# Which summaries there are is known where they are made, as of steps and formats.
SummaryT = TypeVar("SummaryT", bound=str)
# The summary that is compared.
PROFILE = "profile"
# The thresholds of all model columns that have none of their own.
DEFAULT = "default"
_LAST = re.compile(r"last ([1-9]\d{0,2})")
_RUN_ID = re.compile(r"[0-9a-f]{16}")
_WORDS = ("training", "previous")


class _Section(BaseModel):
    # An unknown key is a misspelt one, as in all other sections.
    model_config = ConfigDict(frozen=True, extra="forbid")


def _is_reference(word: str) -> str:
    is_known = word in _WORDS or word.endswith(".parquet")
    if is_known or _LAST.fullmatch(word) or _RUN_ID.fullmatch(word):
        return word
    raise ValueError(
        "must be training, previous, last N (runs), the id of a run (16 digits of base 16), or the "
        "path of a profile-....parquet"
    )


Reference: TypeAlias = Annotated[Url, AfterValidator(_is_reference)]
Change: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def find_last(reference: str) -> int | None:
    """Return how many runs `last N` names; None of any other reference.

    >>> find_last("last 7"), find_last("previous")
    (7, None)
    """
    found = _LAST.fullmatch(reference)
    return None if found is None else int(found[1])


class Limit(_Section):
    """From which change on a run is published with a warning, and from which it is held back."""

    warn: Change | None = None
    hold: Change | None = None

    @model_validator(mode="before")
    @classmethod
    def _says_how(cls, said: Any) -> Any:
        if isinstance(said, dict | Limit):
            return said
        raise ValueError("must say warn or hold, for example {warn: 0.1, hold: 0.25}")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.warn is None and self.hold is None:
            raise ValueError("must say warn, hold, or both")
        return self


def _refuse_late_warning(limit: Limit) -> None:
    """Refuse a limit of large changes that holds a run back before it warns of it."""
    warn = limit.warn
    hold = limit.hold
    if warn is not None and hold is not None and warn >= hold:
        raise ValueError(f"warn {warn:g} must be below hold {hold:g}")


class Above(Limit):
    """A limit that larger changes are beyond."""

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        _refuse_late_warning(self)
        return self


class _Times(Limit):
    """A limit of rows, as a multiple of the reference's; a number alone holds back."""

    @model_validator(mode="before")
    @classmethod
    def _holds(cls, said: Any) -> Any:
        if isinstance(said, int | float) and not isinstance(said, bool):
            return {"hold": said}
        return said


class Fewer(_Times):
    """A limit that fewer rows are beyond."""

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        warn = self.warn
        hold = self.hold
        if warn is not None and hold is not None and warn <= hold:
            raise ValueError(f"warn {warn:g} must be above hold {hold:g}")
        if max(warn or 0, hold or 0) >= 1:
            raise ValueError("must be below 1: it is a part of the reference's rows")
        return self


class More(_Times):
    """A limit that more rows are beyond."""

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        _refuse_late_warning(self)
        said = [times for times in (self.warn, self.hold) if times is not None]
        if any(times <= 1 for times in said):
            raise ValueError("must be above 1: it is a multiple of the reference's rows")
        return self


class ColumnLimits(_Section):
    """From which change of a column on people are warned, or the run is held back.

    Attributes:
        psi: population stability index.
        js: Jensen-Shannon distance.
        ks: Kolmogorov-Smirnov distance, of numbers.
        chi2: largest change of a value's share, of texts and booleans.
        missing: change of the share of missing values.
        new: share of rows with a value that the reference does not have.
    """

    psi: Above | None = None
    js: Above | None = None
    ks: Above | None = None
    chi2: Above | None = None
    missing: Above | None = None
    new: Above | None = None


class ScoreLimits(ColumnLimits):
    """The same of all scores.

    Attributes:
        label_share: largest change of a label's share.
    """

    label_share: Above | None = None


class RowLimits(_Section):
    """How many rows are too few or too many, as multiples of the reference's.

    Attributes:
        fewer_than: below 1; a number alone holds back.
        more_than: above 1.
    """

    fewer_than: Fewer | None = None
    more_than: More | None = None


class Monitor(_Section, Generic[SummaryT]):
    """What is computed beside the scores, and what it is compared with.

    Attributes:
        summaries: `profile`: ranges, means, counts and missing values of the model's columns and of
            all scores; or your own, `module:callable`. The profile is named by whatever needs it, too.
        reference: `training`, `previous`, `last N` runs, a run's id, or a profile's file; without it
            nothing is compared.
        columns: thresholds by column; `default` is for all columns of the model. Key and pass-through
            columns that are named are summarised, too.
        scores: thresholds of all scores.
        rows: thresholds of how many rows there are.
        modules: modules of your own from which summaries may come.
        report: whether a page about the run is left beside its manifest, `report.html`.
        report_values: whether reports may name values of rows: frequent ones, and new categories.
        every_row: whether the distribution of numbers is counted in every row of large units, too.
    """

    summaries: tuple[SummaryT, ...] = ()
    reference: Reference | None = None
    columns: dict[str, ColumnLimits] = {}
    scores: ScoreLimits = ScoreLimits()
    rows: RowLimits = RowLimits()
    modules: tuple[str, ...] = ()
    report: bool = False
    report_values: bool = False
    every_row: bool = False

    @field_validator("columns", mode="before")
    @classmethod
    def _are_by_name(cls, columns: Any) -> Any:
        if isinstance(columns, list | tuple):
            raise ValueError(
                "must be a mapping of columns to their thresholds, which may be none: {region: {}}"
            )
        return columns

    @field_validator("columns", mode="before")
    @classmethod
    def _may_have_none(cls, columns: Any) -> Any:
        # `region:` alone is YAML's null.
        if not isinstance(columns, dict):
            return columns
        return {name: {} if limits is None else limits for name, limits in columns.items()}

    @model_validator(mode="before")
    @classmethod
    def _name_profile(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        needs_profile = any(fields.get(name) for name in ("reference", "columns", "scores", "rows"))
        summaries = fields.get("summaries") or ()
        # What is no list is refused by its type.
        is_list = isinstance(summaries, list | tuple)
        if not needs_profile or not is_list or PROFILE in summaries:
            return fields
        return {**fields, "summaries": [*summaries, PROFILE]}

    @model_validator(mode="after")
    def _compares(self) -> Self:
        asking = list(self._list_thresholds())
        if self.reference is None and asking:
            raise ValueError(
                f"{asking[0]} is a threshold of a comparison, and reference says with nothing; "
                "set reference: training, previous, last 7, a run's id or a profile's file"
            )
        return self

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.every_row and PROFILE not in self.summaries:
            raise ValueError(
                "every_row says how a profile counts, and there is none; set summaries: [profile]"
            )
        return self

    def _list_thresholds(self) -> list[str]:
        """Return the places of all thresholds, in words."""
        sections: dict[str, BaseModel] = {}
        for name, limits in self.columns.items():
            sections[f"columns.{name}"] = limits
        sections |= {"scores": self.scores, "rows": self.rows}
        found = []
        for place, section in sections.items():
            names = section.model_dump(exclude_none=True)
            found += [f"{place}.{name}" for name in names]
        return found

    @model_validator(mode="after")
    def _modules_are_allowed(self) -> Self:
        for name in self.summaries:
            module, colon, _ = name.partition(":")
            # Words of this program have none.
            if colon and module not in self.modules:
                raise ValueError(
                    f"summaries names {name}, but monitor.modules does not list {module}"
                )
        return self
