"""How far scores of faster settings may be from those of float32, eager.

A file of its own, because it is a section of a job that is handed on as it is, to those who compare
scores and never see a job.
"""

from typing import Annotated

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

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_difference: Annotated[float, Field(ge=0)] = 0.01
    label_agreement: Annotated[float, Field(ge=0, le=1)] = 0.995
    cosine: Annotated[float, Field(ge=-1, le=1)] = 0.999
