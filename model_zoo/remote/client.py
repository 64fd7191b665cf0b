"""The contract of a client: what every protocol's own file gives to those who send batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from model_zoo.arrays import Arrays


@dataclass(frozen=True)
class TensorSpec:
    """An array that a model takes or gives, as its server describes it.

    Attributes:
        dtype: as cards name it, or `bfloat16`, or `bytes` for texts. Arrays of `bfloat16` are
            float32 on our side, and those of `bytes` hold objects: `bytes`, or `str` on the way in.
        shape: of one row; None for a size that is free.
    """

    dtype: str
    shape: tuple[int | None, ...]

    @property
    def our_dtype(self) -> str:
        """Return the dtype that such an array has on our side, where numpy has no bfloat16."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether a row of this shape has the sizes that are described.

        >>> TensorSpec("float32", (None, 3)).fits((5, 3)), TensorSpec("float32", (2,)).fits((3,))
        (True, False)
        """
        if len(shape) != len(self.shape):
            return False
        pairs = zip(shape, self.shape, strict=True)
        return all(wanted is None or size == wanted for size, wanted in pairs)


@dataclass(frozen=True)
class Description:
    """What a server says of its model.

    Attributes:
        server: name and version of the server's software, as far as it tells.
        model_version: the version that answers; nothing where the server has none.
        inputs: by name; empty where the server does not tell.
        outputs: by name; empty where the server does not tell.
        most_rows: of one request; None where the server sets no limit.
        takes_fewer_rows: False where each request must have exactly `most_rows`.
    """

    server: str
    model_version: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    most_rows: int | None = None
    takes_fewer_rows: bool = True


class Client(Protocol):
    """A model in a server, over one protocol; several threads call it at the same time.

    It asks once and waits no longer than its target's deadline. Whatever fails is one of the
    classes in `failures.py`; who asks again, and when, is decided in `calls.py`.
    """

    def describe(self) -> Description:
        """Ask the server what it is and which model answers.

        Raises:
            RemoteError: no server, no such model or version, or an answer that is no description.
        """

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Return the model's outputs for a batch, by name, whole and checked.

        Args:
            inputs: one array (rows, ...) per input, of at least one row.
            request_id: what the request is named by in the server's log; the answer must repeat it.

        Returns:
            One array (rows, ...) per output, of the dtype and shape that the server has described,
            with as many rows as the inputs, from the model's version that `describe` told.

        Raises:
            RemoteError: why there is no such answer.
        """

    def close(self) -> None:
        """Let all connections go."""
