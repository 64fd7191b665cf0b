"""The section `monitor` of a scoring job: what is computed beside the scores, while rows pass."""

from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

# Which summaries there are is known where they are made, as of steps and formats.
SummaryT = TypeVar("SummaryT", bound=str)


class Monitor(BaseModel, Generic[SummaryT]):
    """What is computed beside the scores.

    Attributes:
        summaries: `profile`: ranges, means, counts and missing values of the model's columns and of
            all scores; or your own, `module:callable`. None unless they are named.
        columns: key or pass-through columns that the profile tells of, too.
        modules: modules of your own from which summaries may come.
    """

    # An unknown key is a misspelt one, as in all other sections.
    model_config = ConfigDict(frozen=True, extra="forbid")

    summaries: tuple[SummaryT, ...] = ()
    columns: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

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
