"""Settings of how a network computes: they make it faster, and change the last digits of scores or more."""

from dataclasses import asdict, dataclass
import hashlib
import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

Device = str  # cpu, cuda (all there are), cuda:1, auto
DType = Literal["float32", "bfloat16", "float16", "int8"]
Layout = Literal["contiguous", "channels_last"]

# The engine that every package can be loaded with. It is left out where settings are written down,
# so that runs from before there were others keep their ids.
DEFAULT_ENGINE = "torch"


@dataclass(frozen=True)
class Scale:
    """The rule by which float32 values at one place of a network become 8-bit integers.

    `round(value / scale) + zero_point`, within `low` to `high`.
    """

    place: str
    scale: float
    zero_point: int
    low: int
    high: int


@dataclass(frozen=True)
class QuantisedGraph:
    """An ONNX graph in 8-bit integers, which an engine has made of a package's on rows of a job.

    Attributes:
        url: of its file; in a tuning report the name of a file beside the report.
        sha256, bytes: of its content.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Settings:
    """The choices that decide how a network computes.

    The defaults are the reference that every other choice is compared with: float32, eager.

    Attributes:
        batch_rows: rows of a mini-batch; of a model with a mask, of one with the longest texts.
        dtype: of weights and of what flows between layers. `int8` quantises convolutions and linear
            layers with `scales` or a `graph` that were measured on a sample.
        layout: order of an image's numbers in memory; `channels_last` is how convolutions are
            fastest on most devices.
        compiled: whether the engine makes machine code of the network, for mini-batches of exactly
            `batch_rows` rows.
        engine: name of the library that computes, in the table of engines.
        graph: what an engine of graphs computes in place of the package's; with `int8` alone.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
    batch_rows: Annotated[int, Field(ge=1)]
    dtype: DType = "float32"
    layout: Layout = "contiguous"
    compiled: bool = False
    scales: tuple[Scale, ...] = ()
    engine: str = DEFAULT_ENGINE
    graph: QuantisedGraph | None = None

    @property
    def is_reference(self) -> bool:
        """Tell whether these are the engine's reference settings, whatever the mini-batch."""
        return self == self.as_reference()

    def as_reference(self) -> "Settings":
        """Return the settings of the same engine that these are compared with."""
        return Settings(self.batch_rows, engine=self.engine)

    def __str__(self) -> str:
        """Return the settings as tables and manifests show them."""
        words: list[str] = [self.dtype]
        if self.engine != DEFAULT_ENGINE:
            words.insert(0, self.engine)
        if self.layout == "channels_last":
            words.append("channels_last")
        if self.compiled:
            words.append("compiled")
        return " ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON gives them back; of the scales a digest."""
        values = asdict(self)
        if self.engine == DEFAULT_ENGINE:
            del values["engine"]
        # Only then, and its digest alone: other runs keep their ids, and a file may move.
        del values["graph"]
        if self.graph is not None:
            values["graph"] = self.graph.sha256
        # Thousands of numbers would drown a manifest; these digests are part of run ids.
        scales = values.pop("scales")
        # The empty list stands where scales of another kind once were: runs of int8 keep their ids.
        measured = json.dumps([scales, []])
        digest = hashlib.sha256(measured.encode())
        values["scales"] = digest.hexdigest() if self.scales else None
        return values
