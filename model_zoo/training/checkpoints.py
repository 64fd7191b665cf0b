"""What a training that was stopped goes on from: one file, replaced whole, of numbers and plain words.

sha256 of all that follows, in hexadecimal   one line
how far it is, in JSON                       one line
weights and the optimiser's numbers          safetensors: nothing in it is run when it is read
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import hashlib
import json
import time
from typing import Any, NamedTuple, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load, save
import torch

from configs.errors import InputError, JobError
from storage import files

StateDict: TypeAlias = dict[str, torch.Tensor]
# What the training is of, by words for people: each a digest, or a value.
Origin: TypeAlias = Mapping[str, str]

_FILE = "training.checkpoint"
_FORMAT = 1
_SECONDS_PER_MINUTE = 60


class Content(NamedTuple):
    """How far a training is.

    Attributes:
        progress: plain values, as JSON gives them back.
        tensors: by name.
    """

    progress: dict[str, Any]
    tensors: StateDict


@dataclass(frozen=True)
class Checkpoints:
    """Where a training keeps how far it is.

    Attributes:
        folder: a path or URL, of this training alone.
        job: digest of what the rows, network and recipe do not tell of the job; a checkpoint of
            another one is refused, as are those of other rows, another network or another recipe.
        minutes: after which one is written within an epoch, too.
        seconds: that are between two of them at least, because an epoch may take less time than
            writing; at the end of training one is always written.
        clock: tells seconds.
    """

    folder: str
    job: str = ""
    minutes: float = 10.0
    seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic

    def is_due(
        self,
        since: float,
        within_epoch: bool,
    ) -> bool:
        """Tell whether one is to be written now.

        Args:
            since: when the last was, or the training began.
            within_epoch: whether the epoch goes on.
        """
        waited = self.clock() - since
        if within_epoch:
            return waited >= self.minutes * _SECONDS_PER_MINUTE
        return waited >= self.seconds

    def read(self, origin: Origin) -> Content | None:
        """Return the last one that was written; None when there is none.

        Args:
            origin: what the training is of.

        Raises:
            JobError: it is of another training.
            InputError: it is damaged.
        """
        content = files.read(self._url)
        if content is None:
            return None
        # Nothing is parsed before the digest is seen to be right.
        digest, _, rest = content.partition(b"\n")
        if digest != _digest(rest):
            raise self._refuse_damaged()
        head, _, numbers = rest.partition(b"\n")
        try:
            fields = json.loads(head)
            tensors = load(numbers)
        except (ValueError, SafetensorError) as error:
            raise self._refuse_damaged() from error
        self._refuse_other(fields["origin"], {**origin, "format": str(_FORMAT)})
        return Content(fields["progress"], tensors)

    def write(
        self,
        origin: Origin,
        content: Content,
    ) -> None:
        """Replace the last one, at once and durably.

        Args:
            origin: what the training is of.
            content: how far it is.
        """
        tensors = {}
        for name, tensor in content.tensors.items():
            # Copies: safetensors takes no tensors that share memory, as tied weights do.
            copied = tensor.detach().clone()
            on_cpu = copied.to("cpu")
            tensors[name] = on_cpu.contiguous()
        fields = {
            "origin": {**origin, "format": str(_FORMAT)},
            "progress": content.progress,
        }
        head = json.dumps(fields)
        rest = head.encode() + b"\n" + save(tensors)
        # In one file and one move: a kill leaves the one before, or this one.
        files.make_folder(self.folder)
        files.replace(self._url, _digest(rest) + b"\n" + rest)

    def remove(self) -> None:
        """Remove the folder; its training is over."""
        files.remove(self.folder)

    @property
    def _url(self) -> str:
        return files.join(self.folder, _FILE)

    def _refuse_damaged(self) -> InputError:
        return InputError(
            f"{self._url}: the checkpoint is damaged, its digest is another; "
            f"remove {self.folder} to begin the training anew"
        )

    def _refuse_other(
        self,
        found: Mapping[str, str],
        wanted: Origin,
    ) -> None:
        # All that differs at once, so that nobody mends one thing to be told of the next.
        names = [name for name in wanted if found.get(name) != wanted[name]]
        if not names:
            return
        differing = " and ".join(names)
        raise JobError(
            f"{self.folder} holds a checkpoint of a training with another {differing}; "
            "train as before to go on with it, or remove the folder to begin anew"
        )


def _digest(content: bytes) -> bytes:
    digest = hashlib.sha256(content)
    return digest.hexdigest().encode()
