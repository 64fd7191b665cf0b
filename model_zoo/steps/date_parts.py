"""Step `date_parts`: year, month, weekday, hour and the like of dates, as numbers of their own.

A network that gets a date as one count of days cannot see that Sundays or Decembers are alike. The
parts of a column `bought` are the new columns `bought_year`, `bought_month` and so on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
import math
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, types
import pyarrow.compute as pc
from pyarrow.types import is_date, is_null, is_time
from pydantic import AfterValidator, Field

from configs.errors import JobError
from configs.fields import Names
from model_zoo.steps.arrays import get_column
from model_zoo.steps.columns import Columns, NewColumns, decode_dictionary, to_arrow
from model_zoo.steps.moments import count_moments
from model_zoo.steps.step import ColumnNames, StepModel, Widths

PartName: TypeAlias = Literal["year", "month", "day", "day_of_year", "weekday", "hour", "minute"]
_SECONDS_OF_A_DAY = 86_400
_FIRST_YEAR = 1970
# The first of January 1970 was a Thursday, and weekdays count from Monday, which is 0.
_FIRST_WEEKDAY = 3
_UTC = "UTC"


_Parts: TypeAlias = tuple[PartName, ...]


def _refuse_repeated(parts: _Parts) -> _Parts:
    different = set(parts)
    if len(different) < len(parts):
        raise ValueError("names a part twice")
    return parts


PartNames = Annotated[
    _Parts,
    Field(min_length=1),
    AfterValidator(_refuse_repeated),
]


class _Moments(NamedTuple):
    """When rows are, by the clock and calendar of the place that is meant.

    Attributes:
        days: since 1970-01-01, int64 (rows,).
        seconds: since midnight, int64 (rows,).
    """

    days: np.ndarray
    seconds: np.ndarray


@dataclass(frozen=True)
class _Part:
    """How a part is found, and when it comes round.

    Attributes:
        find: returns it, int64 (rows,).
        first, period: its smallest value, and how many there are until it begins again; 0 for never.
        of: whether a day or a time of day has it.
    """

    find: Callable[[_Moments], np.ndarray]
    first: int
    period: int
    of: Literal["day", "time"]


class DateParts(StepModel):
    """Add the parts of each column of dates, timestamps or times of day as columns of float64.

    A missing date has missing parts, NaN.

    Attributes:
        parts: `weekday` counts from 0, Monday; `day_of_year` from 1.
        cyclic: make two columns `<column>_<part>_sin` and `_cos` of each part that comes round, so
            that December is next to January; a year stays a number.
        zone: whose clocks and calendar tell the parts of timestamps with a zone, `Europe/Berlin` for
            example. A timestamp without a zone is taken as it is written.
    """

    step: Literal["date_parts"]
    columns: ColumnNames
    parts: PartNames = ("year", "month", "day", "weekday")
    cyclic: bool = False
    zone: Annotated[str, Field(min_length=1)] = _UTC

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return the parts, float64 (rows,) each, by the names that `list_parts` gives.

        Raises:
            JobError: a column is no date, has no such part, or a part has another column's name.
        """
        result: NewColumns = {}
        for name in self.columns:
            given = get_column(columns, name, self.step)
            column = to_arrow(given)
            column = decode_dictionary(column)
            self._refuse_unsuitable(name, column.type)
            moments = _find_moments(column, name, self.zone)
            missing = column.is_null()
            # Booleans are bits in Arrow, which numpy cannot look at without a copy.
            is_missing = missing.to_numpy(zero_copy_only=False)
            for made, numbers in self._take_apart(name, moments):
                is_taken = made in columns or made in result
                if is_taken:
                    raise JobError(
                        f"preprocess step date_parts makes column {made!r} of {name!r}, and there "
                        "is such a column already; rename that one, or leave the part out"
                    )
                result[made] = np.where(is_missing, np.nan, numbers)
        return result

    def count_numbers(self, widths: Widths) -> dict[str, int]:
        made: list[str] = []
        for name in self.columns:
            made += self.list_parts(name)
        return dict.fromkeys(made, 1)

    def list_parts(self, name: str) -> Names:
        """Return the names of the columns that are made of one.

        >>> step = DateParts(step="date_parts", columns=("when",), parts=("year", "hour"))
        >>> step.list_parts("when")
        ('when_year', 'when_hour')
        """
        made = []
        for part in self.parts:
            column = f"{name}_{part}"
            if self._comes_round(part):
                # The order in which `_take_apart` yields them.
                made += [f"{column}_sin", f"{column}_cos"]
            else:
                made.append(column)
        return tuple(made)

    def _comes_round(self, part: PartName) -> bool:
        """Tell whether a part becomes a sine and a cosine."""
        return self.cyclic and _PARTS[part].period > 0

    def _take_apart(
        self,
        name: str,
        moments: _Moments,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each column that is made of one, with its numbers, float64 (rows,)."""
        parts = self.list_parts(name)
        names = iter(parts)
        for part in self.parts:
            rule = _PARTS[part]
            numbers = rule.find(moments)
            if not self._comes_round(part):
                yield next(names), numbers.astype(np.float64)
                continue
            # Tables begin at 0, and months, for example, at 1.
            place = numbers - rule.first
            for wave in (math.sin, math.cos):
                table = _tabulate(wave, rule.period)
                yield next(names), table[place]

    def _refuse_unsuitable(self, name: str, dtype: DataType) -> None:
        """Refuse what is no date, and what has no such parts or no zone.

        Raises:
            JobError: of this column.
        """
        kinds = _list_kinds(dtype)
        if not kinds:
            raise JobError(
                f"preprocess step date_parts: column {name!r} of type {dtype} holds no dates, "
                "timestamps or times of day"
            )
        senseless = []
        for part in self.parts:
            rule = _PARTS[part]
            if rule.of not in kinds:
                senseless.append(part)
        if senseless:
            listed = ", ".join(senseless)
            them = "it" if len(senseless) == 1 else "them"
            raise JobError(
                f"preprocess step date_parts: column {name!r} of type {dtype} has no "
                f"{listed}; leave {them} out of parts"
            )
        is_timestamp = types.is_timestamp(dtype)
        has_no_zone = is_timestamp and dtype.tz is None
        if has_no_zone and self.zone != _UTC:
            raise JobError(
                f"preprocess step date_parts: column {name!r} of type {dtype} has no zone, so "
                f"nobody knows what it is in {self.zone}; leave zone out, and it is taken as written"
            )


def _list_kinds(dtype: DataType) -> Names:
    """Return whether values of a type have a day, a time of day, or both; nothing of other types."""
    # A file without any date may say no type at all; every part of it is missing.
    is_unknown = is_null(dtype)
    if is_unknown or types.is_timestamp(dtype):
        return ("day", "time")
    if is_date(dtype):
        return ("day",)
    if is_time(dtype):
        return ("time",)
    return ()


def _find_moments(column: Array, name: str, zone: str) -> _Moments:
    """Return days and seconds of a column; those of a missing value are 0.

    Raises:
        JobError: this machine does not know the zone.
    """
    if is_null(column.type):
        column = column.cast(pa.timestamp("s"))
    dtype = column.type
    is_zoned = types.is_timestamp(dtype) and dtype.tz is not None
    # What is counted is UTC already, which needs no table of zones.
    if is_zoned and zone != _UTC:
        column = _to_local(column, name, zone)
    counts, per_second = count_moments(column)
    present = counts.fill_null(0)
    # Rounded down, before 1970 too: a moment belongs to the second, and the day, that it is in.
    seconds = present.to_numpy() // per_second
    days, of_day = np.divmod(seconds, _SECONDS_OF_A_DAY)
    return _Moments(days, of_day)


def _to_local(column: Array, name: str, zone: str) -> Array:
    """Return timestamps as the clocks of a zone show them, without a zone."""
    zoned = pa.timestamp(column.type.unit, tz=zone)
    try:
        # The same moments: a cast changes the zone that they are shown in alone.
        moments = column.cast(zoned)
        return pc.local_timestamp(moments)
    except pa.ArrowInvalid as error:
        raise JobError(
            f"preprocess step date_parts: column {name!r}: this machine knows no zone {zone!r}; "
            "write it as in Europe/Berlin, and install the system's tzdata where it is missing"
        ) from error


def _count_months(moments: _Moments) -> np.ndarray:
    """Return months since January 1970, int64."""
    dates = moments.days.astype("datetime64[D]")
    # numpy knows the calendar, and a cast to months cuts the days off.
    begun = dates.astype("datetime64[M]")
    months: np.ndarray = begun.astype(np.int64)
    return months


def _count_days_since(moments: _Moments, unit: Literal["M", "Y"]) -> np.ndarray:
    """Return the day of its month or year, from 1."""
    dates = moments.days.astype("datetime64[D]")
    # Cut to the month or year, a date is the first day of it.
    begun = dates.astype(f"datetime64[{unit}]")
    since = dates - begun.astype("datetime64[D]")
    days: np.ndarray = since.astype(np.int64)
    return days + 1


def _find_year(moments: _Moments) -> np.ndarray:
    years = _count_months(moments) // 12
    return _FIRST_YEAR + years


def _find_month(moments: _Moments) -> np.ndarray:
    place = _count_months(moments) % 12
    return place + 1


def _find_day(moments: _Moments) -> np.ndarray:
    return _count_days_since(moments, "M")


def _find_day_of_year(moments: _Moments) -> np.ndarray:
    return _count_days_since(moments, "Y")


def _find_weekday(moments: _Moments) -> np.ndarray:
    days_since_monday = moments.days + _FIRST_WEEKDAY
    return days_since_monday % 7


def _find_hour(moments: _Moments) -> np.ndarray:
    return moments.seconds // 3600


def _find_minute(moments: _Moments) -> np.ndarray:
    minutes = moments.seconds // 60
    return minutes % 60


def _tabulate(
    wave: Callable[[float], float],
    period: int,
) -> np.ndarray:
    """Return sine or cosine of each place in a period, float64 (period,).

    One after the other: what numpy makes of a whole column may differ in the last bit with the
    processor, and there are few places.
    """
    values = []
    for place in range(period):
        angle = 2 * math.pi * place / period
        values.append(wave(angle))
    return np.array(values)


_PARTS: Mapping[PartName, _Part] = {
    "year": _Part(_find_year, first=0, period=0, of="day"),
    "month": _Part(_find_month, first=1, period=12, of="day"),
    "day": _Part(_find_day, first=1, period=31, of="day"),
    # The last day of a leap year is the 366th.
    "day_of_year": _Part(_find_day_of_year, first=1, period=366, of="day"),
    "weekday": _Part(_find_weekday, first=0, period=7, of="day"),
    "hour": _Part(_find_hour, first=0, period=24, of="time"),
    "minute": _Part(_find_minute, first=0, period=60, of="time"),
}
