"""How far scores of faster settings may be from those of float32, eager.

A file of its own, because it is a section of a job that is handed on as it is, to those who compare
scores and never see a job.
"""

from pydantic import BaseModel, ConfigDict, Field


class Tolerance(BaseModel):
    """What `pipelines.tune` may choose, and what `dtype: auto` may use.

    Attributes:
        max_difference: of a probability; of outputs without activation relative to the largest
            value.
        label_agreement: share of rows whose label must be the same; for models with an activation.
        cosine: of each row's output vector with that of float32; for models of vectors without
            activation.
    """

    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")

    max_difference: float = Field(default=0.01, ge=0)
    label_agreement: float = Field(default=0.995, ge=0, le=1)
    cosine: float = Field(default=0.999, ge=-1, le=1)
