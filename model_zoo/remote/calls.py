"""Calls of a server by many threads at once: whoever calls waits, and gets the outputs or what to do next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
import uuid

from model_zoo.arrays import Arrays
from model_zoo.remote.client import Client, Description
from model_zoo.remote.failures import RefusedError, RemoteError, make_refusal
from model_zoo.remote.target import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Calls:
    """A client that is called as a network is; the threads of a worker share it.

    Attributes:
        client: asks once.
        target: says how often, and how many requests at a time.
    """

    client: Client
    target: Target

    def describe(self) -> Description:
        """Ask the server what it is and which model answers.

        Raises:
            Refusal: why that ends the run.
        """
        return _as_refusal(self.client.describe)

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return the outputs of a mini-batch.

        Args:
            inputs: one array (rows, ...) per input.

        Raises:
            RefusedError: the server refuses these rows, or so many.
            Refusal: why the run ends.
        """
        request_id = uuid.uuid4().hex
        return _as_refusal(lambda: self.client.infer(inputs, request_id))


def _as_refusal(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except RefusedError:
        raise
    except RemoteError as failure:
        raise make_refusal(failure) from failure
