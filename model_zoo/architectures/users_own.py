"""A user's own network, `module:callable`, of a module that the job lists in `model.modules`.

The callable is a class of networks or a function that returns one. Packaging is the moment of trust:
whoever packs a model names the module, and the package keeps the digest of its source. Scoring
imports it only where the job lists it too, and only with that source.
"""

from collections.abc import Callable, Container
import hashlib
from importlib.util import find_spec
from pathlib import Path
import re
from types import FunctionType
from typing import TYPE_CHECKING, TypeAlias

from configs.errors import JobError, ModelError, crashes_as_errors
from configs.user_code import HOW_TO_INSTALL, describe_failure, import_attribute, why_not
from model_zoo.architectures.library_names import is_of_library

# For its types alone: torch takes a second to import, and what a package may call is refused without it.
if TYPE_CHECKING:
    from torch import nn

Builder: TypeAlias = Callable[..., "nn.Module"]

# A module's dotted name, and a class or function of it that is not private.
_USERS_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z]\w*")


def is_users_own(name: str) -> bool:
    """Tell whether a network comes from a user's own module."""
    return _USERS_OWN.fullmatch(name) is not None and not is_of_library(name)


def is_ours(name: str) -> bool:
    """Tell whether a network is one of this program, and no library's or user's."""
    return not is_of_library(name) and not is_users_own(name)


def find_users_builder(name: str) -> Builder:
    """Import `module:callable`. Whoever calls this has seen that the module is allowed.

    Raises:
        JobError: it cannot be imported, or the callable is not one that the module defines.
    """
    from torch import nn

    module = module_of(name)
    found = import_attribute(name, "network")
    is_network = isinstance(found, type) and issubclass(found, nn.Module)
    is_builder = isinstance(found, FunctionType)
    is_either = is_network or is_builder
    # What the module itself imported belongs to somebody else.
    if not is_either or found.__module__ != module:
        raise JobError(
            f"network {name}: is neither a class of networks nor a function that {module} defines; "
            "name one that it does"
        )
    return found


def refuse_others_code(name: str) -> None:
    """Refuse a module of Python, of this program or of its libraries, before it is imported.

    Raises:
        JobError: it is one.
    """
    module = module_of(name)
    reason = why_not(module)
    if reason:
        raise JobError(
            f"network {name}: {reason}; name a network that you wrote, in a module of your own"
        )


def module_of(name: str) -> str:
    """Return the module of `module:callable`."""
    module, _, _ = name.partition(":")
    return module


def hash_source(module: str) -> str:
    """Return the sha256 of a module's file. Packages that hold it are imported, itself is not.

    Modules that it imports have digests of their own, which nobody asks for.

    Raises:
        JobError: there is no such module, or no file of it.
    """
    try:
        with crashes_as_errors():
            spec = find_spec(module)
    except Exception as error:  # a package around it may raise anything when it is imported
        raise JobError(
            f"module {module} cannot be imported: {describe_failure(error)}; {HOW_TO_INSTALL}"
        ) from error
    # A module that is built into Python, or a folder without an `__init__.py`, has no file.
    if spec is None or spec.origin is None or not spec.has_location:
        raise JobError(f"module {module} is not there; {HOW_TO_INSTALL}")
    try:
        content = Path(spec.origin).read_bytes()
    except OSError as error:
        raise JobError(f"module {module}: {spec.origin} cannot be read: {error}") from error
    return hashlib.sha256(content).hexdigest()


def check_source(name: str, expected: str | None) -> None:
    """Refuse a module whose source is not the one that the model was packed with.

    Args:
        name: of the network, `module:callable`.
        expected: sha256 of its module's file.

    Raises:
        JobError: it is not there.
        ModelError: it is another version.
    """
    module = module_of(name)
    if hash_source(module) != expected:
        raise ModelError(
            f"module {module} here is not the one that the model was packed with "
            "(its source differs); install that version, or pack the model again"
        )


def check_users_network(
    name: str,
    source_sha256: str | None,
    modules: Container[str],
) -> None:
    """Refuse a user's own network that may not be imported here; others are never refused.

    Nothing is imported before its module is known to be allowed.

    Args:
        name: of the network, as a model card says it.
        source_sha256: of its module's file, as the card says it.
        modules: users' own modules that the job lists.

    Raises:
        JobError: its module is not a user's own, not listed, or not there.
        ModelError: its module is another version.
    """
    if not is_users_own(name):
        return
    refuse_unlisted(name, modules)
    check_source(name, source_sha256)


def refuse_unlisted(name: str, modules: Container[str]) -> None:
    """Refuse a user's own network, before it is imported, whose module the job does not list.

    Args:
        name: of the network, `module:callable`.
        modules: users' own modules that the job lists.

    Raises:
        JobError: its module is not listed, or is not a user's own.
    """
    refuse_others_code(name)
    module = module_of(name)
    if module not in modules:
        raise JobError(
            f"the model package's network is {name}; list {module} in model.modules to allow it"
        )
