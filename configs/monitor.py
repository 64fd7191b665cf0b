"""The section `monitor` of a scoring job: what is computed beside the scores, while rows pass."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

# Which summaries there are is known where they are made, as of steps and formats.
SummaryT = TypeVar("SummaryT", bound=str)


class Monitor(BaseModel, Generic[SummaryT]):
    """What is computed beside the scores.

    Attributes:
        summaries: `profile`: ranges, means, counts and missing values of the model's columns and of
            all scores. None unless they are named.
        columns: key or pass-through columns that they tell of, too.
    """

    # An unknown key is a misspelt one, as in all other sections.
    model_config = ConfigDict(frozen=True, extra="forbid")

    summaries: tuple[SummaryT, ...] = ()
    columns: tuple[str, ...] = ()
