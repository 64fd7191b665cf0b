"""The Dockerfile as instructions, for the tests that follow them."""

from fnmatch import fnmatch
from pathlib import PurePosixPath
import re

from tests.support.repository import REPOSITORY

DOCKERFILE = REPOSITORY / "deploy/dataflow/Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) in order."""
    lines = [
        line
        for line in DOCKERFILE.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines()
    ]


def copied(all_instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(path in the repository, path below the work directory) of everything that is copied out of the build's context."""
    pairs = []
    for name, arguments in all_instructions:
        *sources, target = arguments.split()
        if name == "COPY" and not sources[0].startswith("--from"):
            into = target in (".", "./") or target.endswith("/")
            pairs += [
                (s, str(PurePosixPath(target) / PurePosixPath(s).name) if into else target)
                for s in sources
            ]
    return pairs


def sent_to_builder(path: str) -> bool:
    """Whether the file of what the builder ignores lets a path through."""
    taken = True
    for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not line.startswith("#") and fnmatch(path, pattern):
            taken = line.startswith("!")
    return taken
