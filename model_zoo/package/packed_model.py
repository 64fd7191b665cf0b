"""What may be asked of a package by whatever loads its model or checks it.

Engines and the smoke check see this much of a package, and nothing of how packages are read.
"""

from typing import Protocol

import pyarrow as pa

from model_zoo.package.card import ModelCard
from model_zoo.remote.target import Target


class PackedModel(Protocol):
    """A checked package; `model_zoo.package.package.Package` is one."""

    @property
    def url(self) -> str:
        """Return its folder, for messages."""

    @property
    def card(self) -> ModelCard:
        """Return what the package says of its model."""

    @property
    def digest(self) -> str:
        """Return what names the whole package."""

    @property
    def smoke(self) -> pa.Table:
        """Return a few rows of input columns, and what the network takes and gives for them."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Return users' own modules that its network may come from."""

    @property
    def target(self) -> Target | None:
        """Return the server that computes it, as the job reaches it; None where an engine does here."""

    def read_file(self, name: str) -> bytes:
        """Return the content of a file that the card lists.

        Raises:
            ModelError: it is not what the card lists any more.
        """
