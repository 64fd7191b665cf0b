"""Which modules a job may name for `function` steps and networks, a user's own, and how they are imported.

Code of Python, of this program and of its libraries were not written to be called by a job.
"""

from collections.abc import Iterator
from functools import cache
import importlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
import os
from pathlib import PurePosixPath
import re
import sys
import traceback
from typing import Any, NamedTuple

from configs.errors import CrashError, JobError, crashes_as_errors, text_of
from configs.suggest import nearest

OUR_PACKAGES = ("configs", "model_zoo", "pipelines", "storage", "transforms")
# This program, as setup.py names it.
_OURS = "columnar-batch-prediction"
# What only tests and benchmarks need is no part of the program, and may be named as a user's own
# code.
_FOR_DEVELOPMENT = frozenset({"benchmarks", "test"})
# Some wheels bring their tests along by accident, under a name that a user's own may have.
_BY_ACCIDENT = "tests"
_TOOLS = frozenset({"__main__", "pip", "pkg_resources", "setuptools", "wheel"})
# `name[extra,other]`, with which a requirement begins.
_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_MODULE_ENDINGS = (".py", ".so", ".pyd")


# A module without the attribute, whatever its attributes are.
_ABSENT = object()
_WITHOUT_ENDING = "write it as Python imports it, without .py: module:callable"
HOW_TO_INSTALL = "install its package where workers run, or name its folder in PYTHONPATH"


class _Requirement(NamedTuple):
    """A distribution by its name, and an extra of it; none is empty."""

    name: str
    extra: str


def why_not(module: str) -> str | None:
    """Return why a step may not call functions of this module; None when it may.

    That is told from its name alone, before anything is imported.

    >>> why_not("os.path"), why_not("my_package.features")
    ("os is Python's own", None)
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"{top} is Python's own"
    if top in OUR_PACKAGES:
        return f"{top} is a package of this program"
    libraries = _find_library_modules()
    # Not knowing what belongs to a library is no reason to allow it.
    if libraries is None:
        return (
            f"{_OURS} is not installed, so that nobody can tell whether {top} is of its libraries"
        )
    if top in _TOOLS or top in libraries:
        return f"{top} is a library that this program needs"
    return None


def import_attribute(name: str, what: str) -> Any:
    """Import `module:attribute`. Whoever calls this has seen that the module is allowed.

    Args:
        name: of the attribute.
        what: it is, for the message.

    Raises:
        JobError: it cannot be imported.
    """
    module, _, attribute = name.partition(":")
    try:
        with crashes_as_errors():
            imported = importlib.import_module(module)
            found = getattr(imported, attribute, _ABSENT)
    except Exception as error:  # a user's module may raise anything when it is imported
        reason = describe_failure(error)
        help_ = _WITHOUT_ENDING if module.endswith(".py") else HOW_TO_INSTALL
        raise JobError(f"{what} {name} cannot be imported: {reason}; {help_}") from error
    if found is _ABSENT:
        known = [known for known in dir(imported) if not known.startswith("_")]
        hint = nearest(attribute, known)
        raise JobError(f"{what} {name} cannot be imported: {module} has no {attribute!r}{hint}")
    return found


def describe_failure(error: Exception) -> str:
    """Return class and message of what a user's module raised."""
    # The text of a crash begins with its own class.
    if isinstance(error, CrashError):
        return str(error)
    kind = type(error).__name__
    text = text_of(error).strip()
    return f"{kind}: {text}" if text else kind


def where_it_failed(error: Exception, file: str) -> str:
    """Return the class of an error, and the line of the user's file that met it: no word of its text.

    Args:
        error: what the user's code raised.
        file: of its module.
    """
    kind = type(error).__name__
    origin: BaseException | None = error
    if isinstance(error, CrashError):
        kind = error.kind
        # What the user's code raised.
        origin = error.__cause__
    trace = None
    if origin is not None:
        trace = origin.__traceback__
    frames = traceback.extract_tb(trace)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    # None when the error was met elsewhere, as where Arrow takes over what the function returned.
    if not lines:
        return kind
    # The last: where it left the user's file, for a library perhaps.
    last_line = lines[-1]
    name = os.path.basename(file)
    return f"{kind} in line {last_line} of {name}"


@cache
def _find_library_modules() -> frozenset[str] | None:
    """Return the top-level modules of everything that this program may be installed with.

    However indirectly, and by whatever extra, it needs them. None where it is not installed itself.
    """
    try:
        ours = distribution(_OURS)
    except PackageNotFoundError:
        return None
    found: set[str] = set()
    seen: set[_Requirement] = set()
    # Distributions with an extra that was asked for, or with none.
    extras = ("", *_list_extras(ours))
    pending = [(ours, extra) for extra in extras]
    while pending:
        package, extra = pending.pop()
        found.update(_list_modules(package))
        for needed in _list_requirements(package, extra):
            if needed in seen:
                continue
            seen.add(needed)
            # What is not there is of an extra that is not installed, or of another platform.
            try:
                installed = distribution(needed.name)
            except PackageNotFoundError:
                continue
            pending.append((installed, needed.extra))
    return frozenset(found - {_BY_ACCIDENT})


def _list_extras(package: Distribution) -> list[str]:
    extras = package.metadata.get_all("Provides-Extra") or []
    return [extra for extra in extras if extra not in _FOR_DEVELOPMENT]


def _list_requirements(package: Distribution, extra: str) -> Iterator[_Requirement]:
    """Yield what a package needs for an extra, or without one."""
    for line in package.requires or ():
        text, _, marker = line.partition(";")
        condition = _EXTRA.search(marker)
        wanted = ""
        if condition is not None:
            wanted = condition.group(1)
        named = _REQUIREMENT.match(text)
        if wanted != extra or named is None:
            continue
        name, extras = named.groups(default="")
        yield _Requirement(name, "")
        for own_extra in extras.split(","):
            yield _Requirement(name, own_extra.strip())


def _list_modules(package: Distribution) -> Iterator[str]:
    # Where setuptools has left a list, it is right even for modules that are linked and not copied.
    listed = package.read_text("top_level.txt")
    if listed:
        for line in listed.split():
            yield line.split("/")[0]
        return
    for file in package.files or ():
        path = PurePosixPath(file)
        if path.suffix in _MODULE_ENDINGS:
            yield path.parts[0].partition(".")[0]
