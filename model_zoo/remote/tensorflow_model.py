"""Which version and which signature of a model in TensorFlow Serving is asked, over either way."""

from collections.abc import Iterable, Sequence

from model_zoo.remote.client import Description
from model_zoo.remote.described_model import Metadata, Tensor, choose_version, describe_model
from model_zoo.remote.failures import WrongError
from model_zoo.remote.target import Target

# What TensorFlow itself asks where no signature is named.
SIGNATURE = "serving_default"
# Its server does not tell its own version.
SERVER = "tensorflow serving"


def read_version(target: Target) -> int | None:
    """Return the version that a job names; None where it names none.

    Raises:
        WrongError: it is no whole number, as all versions are here.
    """
    version = target.version
    if version is None:
        return None
    if not version.isdecimal():
        raise WrongError(f"versions are whole numbers in TensorFlow Serving, and not {version!r}")
    return int(version)


def choose_available(versions: Iterable[int], target: Target) -> int:
    """Return the version that is asked in every request.

    Args:
        versions: those that answer now.
        target: as the job names it.

    Raises:
        WrongError: none is, or another, or several to choose from.
    """
    available = [str(version) for version in versions]
    if not available:
        raise WrongError(f"no version of {target.name} is available")
    return int(choose_version(available, target.version))


def choose_signature(names: Iterable[str]) -> str:
    """Return the signature that is asked.

    Raises:
        WrongError: it is not there.
    """
    known = sorted(names)
    if SIGNATURE not in known:
        raise WrongError(f"the model has no signature {SIGNATURE}; there are {', '.join(known)}")
    return SIGNATURE


def describe_signature(
    version: int, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Description:
    """Return the description of a model.

    Args:
        version: that answers.
        inputs: of its signature.
        outputs: of its signature.

    Raises:
        WrongError: a tensor has no rows, or there is none.
    """
    if not inputs or not outputs:
        raise WrongError(f"signature {SIGNATURE} has no inputs, or no outputs")
    metadata = Metadata(SERVER, [str(version)], inputs, outputs)
    return describe_model(metadata, None)
