"""The section `errors` of a scoring job: how much may be rejected of a run that is published all the same."""

from pydantic import BaseModel, ConfigDict, Field

# What a 64-bit integer holds, as in all other sections.
_MOST = 2**63 - 1


class Errors(BaseModel):
    """How many rejected rows a run may have and still be published: the larger of both counts.

    Attributes:
        max_broken_shards, max_broken_percent: the same of input files that cannot be read, or not as they
            were planned.
        store_values: keep what was read of a rejected row beside the reason, in the column `values`
            of the rejected file.
    """

    # An unknown key is a misspelt one, as in all other sections.
    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rejected_rows: int = Field(default=0, ge=0, le=_MOST)
    max_rejected_percent: float = Field(default=0.0, ge=0, le=100)
    max_broken_shards: int = Field(default=0, ge=0, le=_MOST)
    max_broken_percent: float = Field(default=0.0, ge=0, le=100)
    store_values: bool = False
