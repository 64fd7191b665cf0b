"""How a network computes: what may make it faster, and changes the last digits of scores, or more than those."""

from dataclasses import asdict, dataclass
import hashlib
import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

Device = str  # cpu, cuda (all there are), cuda:1, auto
DType = Literal["float32", "bfloat16", "float16", "int8", "int8_linear"]
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
class LinearScale:
    """How what flows into a linear layer becomes 8-bit integers: `round(value / factor / scale) + zero_point`, a factor per feature."""

    place: str
    scale: float
    zero_point: int
    factors: tuple[float, ...]


@dataclass(frozen=True)
class Settings:
    """How a network computes. The defaults are the reference that every other choice is compared with: float32, eager.

    Attributes:
        batch_rows: rows of a mini-batch; of a model with a mask, of one with the longest texts.
        dtype: of weights and of what flows between layers. `int8` quantises convolutions and linear layers with `scales` that were
            measured on a sample; `int8_linear` those linear layers that `linear_scales` names, and leaves the rest in float32.
        layout: order of an image's numbers in memory; `channels_last` is how convolutions are fastest on most devices.
        compiled: whether inductor makes machine code of the network, for mini-batches of exactly `batch_rows` rows.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    batch_rows: Annotated[int, Field(ge=1)]
    dtype: DType = "float32"
    layout: Layout = "contiguous"
    compiled: bool = False
    scales: tuple[Scale, ...] = ()
    linear_scales: tuple[LinearScale, ...] = ()

    def __str__(self) -> str:
        layers = len(self.linear_scales)
        words = [
            self.dtype,
            *([f"({layers} layer{'s' if layers > 1 else ''})"] if layers else []),
            *(["channels_last"] if self.layout == "channels_last" else []),
            *(["compiled"] if self.compiled else []),
        ]
        return " ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON gives them back; of the scales, which are thousands of numbers, a digest."""
        scales = json.dumps([asdict(self)["scales"], asdict(self)["linear_scales"]])
        measured = hashlib.sha256(scales.encode()).hexdigest() if self.scales or self.linear_scales else None
        return {name: value for name, value in asdict(self).items() if "scales" not in name} | {"scales": measured}
