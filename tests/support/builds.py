"""Build what the tests need and no lock brings, so that no test waits for it: `python -m tests.support.builds`.

Comes in: Java 17 and Maven, Go, a network. Goes out, below build/: the job server and a home of Flink, Beam's `boot` and `prism`, a
server that speaks as Google Cloud Storage does, and environments of model servers. What is there is not built again. Where a tool is
absent, what needs it is left out, and so are its tests; with REQUIRE_FLINK, REQUIRE_GO or REQUIRE_SERVERS set, as in continuous
integration, that is an error.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import subprocess
import sys
import time

from tests.flink import install
from tests.remote import environments
from tests.support.go_tools import FAKE_GCS, PRISM, build_go_program, go_program, missing


@dataclass(frozen=True)
class Build:
    """Something to build.

    Attributes:
        missing: says why it cannot be built here, or None.
        required: the variable with which that is an error.
        tool: what builds it: those of one tool are built one after the other, beside those of others.
        make: builds it, or finds it built, and says where it is.
    """

    name: str
    missing: Callable[[], str | None]
    required: str
    tool: str
    make: Callable[[], Path]


BUILDS = (
    Build("Flink's job server", install.missing, "REQUIRE_FLINK", "java", install.job_server),
    Build("Flink", install.missing, "REQUIRE_FLINK", "java", install.flink_home),
    Build(
        "boot",
        lambda: install.missing() or install.missing_boot(),
        "REQUIRE_FLINK",
        "go",
        install.boot,
    ),
    Build(
        "prism",
        lambda: missing(go_program(PRISM)),
        "REQUIRE_GO",
        "go",
        lambda: build_go_program(PRISM),
    ),
    Build(
        "fake-gcs-server",
        lambda: missing(go_program(FAKE_GCS)),
        "REQUIRE_GO",
        "go",
        lambda: build_go_program(FAKE_GCS),
    ),
    *(
        Build(
            name,
            partial(environments.missing, name),
            "REQUIRE_SERVERS",
            "pip",
            partial(environments.make_environment, name),
        )
        for name in environments.EVERY_DAY
    ),
)


def main(builds: Sequence[Build] = BUILDS) -> int:
    """Build everything, say how long each took, and return the exit status: 1 when something failed or is required and absent."""
    # While one tool downloads, the other compiles.
    tools = dict.fromkeys(one.tool for one in builds)
    by_tool = [[one for one in builds if one.tool == tool] for tool in tools]
    with ThreadPoolExecutor(len(by_tool)) as threads:
        return max(threads.map(_build_all, by_tool))


def _build_all(builds: Sequence[Build]) -> int:
    return max([_build(one) for one in builds])


def _build(one: Build) -> int:
    if reason := one.missing():
        print(f"{one.name}: left out, {reason}", flush=True)
        return 1 if os.environ.get(one.required) else 0
    started = time.monotonic()
    try:
        place = one.make()
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"{one.name}: failed after {time.monotonic() - started:.1f} s: {error}", flush=True)
        return 1
    print(f"{one.name}: {time.monotonic() - started:.1f} s, {place}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
