"""A Flink cluster for the tests, without Docker and without root: `python -m tests.flink.install`.

Comes in: pom.xml, archives.txt, and Java 17, Maven, pip; Go where it is present. Goes out: below `build/flink` the job server as one
jar, a Flink home, and Beam's `boot`. Each gets its name in one move once it is whole; what has its name is not made again.
"""

from collections.abc import Callable
import hashlib
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tarfile

FOLDER = Path(__file__).parent
BUILD = FOLDER.parent.parent / "build/flink"
_BOOT = "github.com/apache/beam/sdks/v2/python/container@v2.77.0"
_JAVA = 17


def job_server() -> Path:
    """Jar of the job server; another pom is another jar."""
    return BUILD / f"job-server-{_digest('pom.xml')}.jar"


def flink_home() -> Path:
    """Folder with Flink's `bin`, `conf`, `lib`, `opt` and `plugins`."""
    return BUILD / f"home-{_digest('archives.txt')}"


def boot() -> Path:
    """Beam's program that starts a worker in a process of its own."""
    return BUILD / f"boot-{_BOOT.rpartition('@')[2]}"


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


def install() -> None:
    """Make what is not there yet."""
    BUILD.mkdir(parents=True, exist_ok=True)
    _make(job_server(), _build_job_server)
    _make(flink_home(), _unpack_flink)
    if shutil.which("go") is not None:
        _make(boot(), _build_boot)


def _make(target: Path, build: Callable[[Path], None]) -> None:
    """Build under another name, and give the whole thing its own."""
    if target.exists():
        return
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        print(f"making {target}", flush=True)
        build(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)


def _build_job_server(target: Path) -> None:
    _run("mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(FOLDER / "pom.xml"), "package")
    (BUILD / "maven/job-server.jar").rename(target)


def _unpack_flink(target: Path) -> None:
    archives = target.with_name(f"{target.name}-archives")
    _download(archives)
    shutil.unpack_archive(next(archives.glob("*.whl")), archives, "zip")
    with tarfile.open(next(archives.glob("*.tar.gz"))) as libraries:
        libraries.extractall(archives, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202 - pinned by its hash; filters came with 3.11.4
    shutil.copytree(next(archives.glob("*/deps")), target)
    for folder in ("bin", "conf"):
        shutil.copytree(archives / "pyflink" / folder, target / folder, dirs_exist_ok=True)
    for script in (target / "bin").glob("*.sh"):
        script.chmod(0o755)
    shutil.rmtree(archives)


def _download(folder: Path) -> None:
    """The wheel is asked for by the one platform that it is pinned for: nothing in it that is used here depends on that."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation", "--dest", str(folder))
    wheel = ("--only-binary=apache-flink", "--python-version=3.11", "--implementation=cp", "--platform=manylinux2014_x86_64")
    _run(*pip, *wheel, "--require-hashes", "--requirement", str(FOLDER / "archives.txt"))


def _build_boot(target: Path) -> None:
    folder = target.with_name(f"{target.name}-go")
    _run("go", "install", _BOOT, env={"GOBIN": str(folder)})
    (folder / "container").rename(target)
    folder.rmdir()


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, env={**os.environ, **(env or {})}, check=True)


def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


if __name__ == "__main__":
    if reason := missing():
        print(f"Flink is not installed: {reason}")
        sys.exit(1 if os.environ.get("REQUIRE_FLINK") else 0)
    install()
