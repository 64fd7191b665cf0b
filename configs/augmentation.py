"""How pictures are varied in training, so that a network meets no picture twice as it is."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class Augmentation(BaseModel):
    """What is done to each picture of each mini-batch of training; never in validation or scoring.

    Each is drawn anew for each picture, from the seed of the training.

    Attributes:
        input: the network's input with the pictures, (channels, height, width) a row; by default
            the only one of that shape.
        flip: mirrored, half of the pictures; `horizontal` is left to right.
        rotate: by up to so many degrees, to either side.
        shift: by up to this share of the width and of the height.
        crop: what is cut out has at least this share of the sides, and is stretched to the whole
            picture; 1 cuts nothing.
        brightness: times 1 minus this to 1 plus this.
        noise: normally distributed, of this standard deviation; white is 1, black 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str | None = None
    flip: Literal["horizontal", "vertical", "both"] | None = None
    rotate: float = Field(default=0.0, ge=0, le=180)
    shift: Share = 0.0
    crop: float = Field(default=1.0, gt=0, le=1)
    brightness: Share = 0.0
    noise: Share = 0.0

    @model_validator(mode="after")
    def _does_something(self) -> "Augmentation":
        does_nothing = Augmentation.model_construct(input=self.input)
        if self == does_nothing:
            raise ValueError("names nothing to do: flip, rotate, shift, crop, brightness or noise")
        return self
