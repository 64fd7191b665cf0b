"""How a network computes: what may make it faster, and changes the last digits of scores, or more than those."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from configs.errors import JobError

Device = str  # cpu, cuda (all there are), cuda:1, auto
DType = Literal["float32", "bfloat16", "float16", "int8", "int8_dynamic"]
Layout = Literal["contiguous", "channels_last"]


@dataclass(frozen=True)
class Scale:
    """How float32 values at one place of a network become 8-bit integers: `round(value / scale) + zero_point`, within `low` to `high`."""

    place: str
    scale: float
    zero_point: int
    low: int
    high: int


@dataclass(frozen=True)
class Settings:
    """How a network computes. The defaults are the reference that every other choice is compared with: float32, eager.

    Attributes:
        batch_rows: rows of a mini-batch; of a model with a mask, of one with the longest texts.
        dtype: of weights and of what flows between layers. `int8` quantises convolutions and linear layers with `scales` that were
            measured on a sample; `int8_dynamic` linear layers, with scales that each mini-batch brings.
        layout: order of an image's numbers in memory; `channels_last` is how convolutions are fastest on most devices.
        compiled: whether inductor makes machine code of the network, for mini-batches of exactly `batch_rows` rows.
    """

    batch_rows: int
    dtype: DType = "float32"
    layout: Layout = "contiguous"
    compiled: bool = False
    scales: tuple[Scale, ...] = ()

    def __str__(self) -> str:
        words = [
            self.dtype,
            *(["channels_last"] if self.layout == "channels_last" else []),
            *(["compiled"] if self.compiled else []),
        ]
        return " ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"scales": [asdict(scale) for scale in self.scales]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """The settings that `as_dict` gave.

        Raises:
            JobError: other names or kinds of values.
        """
        try:
            scales = tuple(Scale(**scale) for scale in values["scales"])
            settings = cls(**{**values, "scales": scales})
            if settings.batch_rows < 1 or not set(values) <= {f.name for f in fields(cls)}:
                raise ValueError
        except (KeyError, TypeError, ValueError) as error:
            raise JobError("it does not hold settings; run pipelines.tune again") from error
        return settings
