"""What a package holds, before it is written."""

from dataclasses import dataclass

from configs.fields import Fields
from model_zoo.steps.table import AnyStep

# As YAML holds them.


@dataclass(frozen=True)
class Content:
    """What `write_package` takes."""

    card: Fields
    steps: tuple[AnyStep, ...]
    files: dict[str, bytes]
