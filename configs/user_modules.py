"""Which modules a `function` step may name: a user's own, and none of those whose functions were not written to be called by a job."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import PurePosixPath
import re
import sys

OUR_PACKAGES = ("configs", "model_zoo", "pipelines", "storage", "transforms")
# What setup.py asks for, by the names that an index knows; the modules below them are found out.
REQUIREMENTS = (
    *("apache-beam", "fsspec", "numpy", "pandas", "pillow", "pyarrow", "prometheus-client", "pydantic", "pyyaml", "safetensors"),
    *("scikit-learn", "tenacity", "torch", "tqdm", "s3fs", "gcsfs", "torchvision", "tokenizers"),
)
_TOOLS = frozenset({"__main__", "pip", "pkg_resources", "setuptools", "wheel"})
_NAME = re.compile(r"[\w.-]+")


def why_not(module: str) -> str | None:
    """Why a step may not call functions of this module, told from its name alone, before anything is imported; None when it may.

    >>> why_not("os.path"), why_not("my_package.features")
    ("os is Python's own", None)
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"{top} is Python's own"
    if top in OUR_PACKAGES:
        return f"{top} is a package of this program"
    if top in _TOOLS or top in _modules_of_requirements():
        return f"{top} is a library that this program needs"
    return None


@cache
def _modules_of_requirements() -> frozenset[str]:
    """Top-level modules of everything that this program is installed with, however indirectly."""
    found: dict[str, frozenset[str]] = {}
    pending = list(REQUIREMENTS)
    while pending:
        name = pending.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # an extra that is not installed, or a requirement of another platform
            found[name] = frozenset()
            continue
        found[name] = frozenset(_top_level(package))
        pending += [m.group() for r in package.requires or () if "extra ==" not in r and (m := _NAME.match(r))]
    return frozenset().union(*found.values())


def _top_level(package: Distribution) -> Iterator[str]:
    if text := package.read_text("top_level.txt"):
        yield from (line.split("/")[0] for line in text.split())
        return
    for file in package.files or ():
        path = PurePosixPath(file)
        if path.suffix in (".py", ".so", ".pyd"):
            yield path.parts[0].partition(".")[0]
