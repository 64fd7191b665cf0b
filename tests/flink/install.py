"""A Flink cluster for the tests, without Docker and without root: `python -m tests.flink.install`.

Comes in: pom.xml, archives.txt, and Java 17, Maven, pip; Go where it is present. Goes out: below `build/flink` the job server as one
jar, a Flink home, and Beam's `boot`. Each is built once, by whoever asks for it first.
"""

import hashlib
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tarfile

from tests.support.built_once import built_once
from tests.support.go_tools import build_go_program
from tests.support.go_tools import missing as missing_program

FOLDER = Path(__file__).parent
BUILD = FOLDER.parent.parent / "build/flink"
_BOOT = "github.com/apache/beam/sdks/v2/python/container@v2.77.0"
_BOOT_PROGRAM = BUILD / f"boot-{_BOOT.rpartition('@')[2]}"
_JAVA = 17


def job_server() -> Path:
    """Jar of the job server; another pom is another jar."""
    return built_once(BUILD / f"job-server-{_digest('pom.xml')}.jar", _build_job_server)


def flink_home() -> Path:
    """Folder with Flink's `bin`, `conf`, `lib`, `opt` and `plugins`."""
    return built_once(BUILD / f"home-{_digest('archives.txt')}", _unpack_flink)


def boot() -> Path:
    """Beam's program that starts a worker in a process of its own; it needs Go where nobody has built it."""
    return build_go_program(_BOOT, _BOOT_PROGRAM)


def missing() -> str | None:
    """Why Flink cannot be tested here, or None when it can."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            return f"{tool} is not on PATH; Flink needs Java {_JAVA} and Maven"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) != _JAVA:
        return f"Java {_JAVA} is needed for Flink, but java is {said.splitlines()[0] if said else 'silent'}"
    return None


def missing_boot() -> str | None:
    """Why there is no `boot`, or None when it is built or can be."""
    return missing_program(_BOOT_PROGRAM)


def _build_job_server(target: Path) -> None:
    _run(
        "mvn",
        "--batch-mode",
        "--quiet",
        "-Dstyle.color=never",
        "--file",
        str(FOLDER / "pom.xml"),
        "package",
    )
    (BUILD / "maven/job-server.jar").rename(target)


def _unpack_flink(target: Path) -> None:
    archives = target.with_name(f"{target.name}-archives")
    _download(archives)
    shutil.unpack_archive(next(archives.glob("*.whl")), archives, "zip")
    with tarfile.open(next(archives.glob("*.tar.gz"))) as libraries:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since 3.11.4
        libraries.extractall(archives, **safely)  # noqa: S202 - pinned by its hash
    shutil.copytree(next(archives.glob("*/deps")), target)
    for folder in ("bin", "conf"):
        shutil.copytree(archives / "pyflink" / folder, target / folder, dirs_exist_ok=True)
    for script in (target / "bin").glob("*.sh"):
        script.chmod(0o755)
    shutil.rmtree(archives)


def _download(folder: Path) -> None:
    """The wheel is asked for by the one platform that it is pinned for: nothing in it that is used here depends on that."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--dest",
        str(folder),
    )
    wheel = (
        "--only-binary=apache-flink",
        "--python-version=3.11",
        "--implementation=cp",
        "--platform=manylinux2014_x86_64",
    )
    _run(*pip, *wheel, "--require-hashes", "--requirement", str(FOLDER / "archives.txt"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def main() -> int:
    """Build all of it; return the exit status."""
    if reason := missing():
        print(f"Flink is not installed: {reason}")
        return 1 if os.environ.get("REQUIRE_FLINK") else 0
    print(job_server(), flink_home(), missing_boot() or boot(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
