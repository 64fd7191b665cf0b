"""The result of a call of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model_zoo.arrays import Arrays


@dataclass(frozen=True)
class Scored:
    """The scores of some rows, and all that is known about how they came about.

    Attributes:
        outputs: one array (rows, *shape) per output; what stands in a rejected row means nothing.
        rejected: why the network has no scores for a row, by the row's position.
        computed_by: device, settings, threads and versions, as a manifest says it.
        copy_nanoseconds: time that it took to get rows to the device and outputs back.
    """

    outputs: Arrays
    rejected: Mapping[int, Exception] = field(default_factory=dict)
    computed_by: str = ""
    copy_nanoseconds: int = 0
