"""A package index on this machine that has every locked distribution twice: as locked, and in a newer version that nobody has seen.

The wheels carry the real metadata and no code, so an install shows within seconds what pip takes. Only setuptools, which builds our own
package, is whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler
import importlib.metadata
from pathlib import Path
import re
from zipfile import ZipFile

from packaging.utils import canonicalize_name

from tests.installation.locks import Entry
from tests.support.loopback import LoopbackServer, run_server

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class _QuietFiles(SimpleHTTPRequestHandler):
    """Serves a folder, and writes no line for each request."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def package_index(folder: Path) -> Iterator[str]:
    """Serve a folder that `publish` filled, and give the address for PIP_INDEX_URL."""
    server = LoopbackServer(partial(_QuietFiles, directory=str(folder)))
    with run_server(server):
        yield f"http://{server.address}/"


def publish(entry: Entry, folder: Path) -> str:
    """Add the page and the two wheels of a locked distribution, which must be installed here.

    Args:
        entry: what is locked.
        folder: the index's.

    Returns:
        the hash of the locked version's wheel, as a lock has it.
    """
    try:
        distribution = importlib.metadata.distribution(entry.name)
    except importlib.metadata.PackageNotFoundError:
        distribution = None
    installed = distribution and distribution.version
    assert distribution is not None, (
        f"{entry.name}=={entry.version} is locked and not installed: make test installs it"
    )
    assert installed == entry.version, (
        f"{entry.name}=={entry.version} is locked, {installed} is installed: make test installs what is locked"
    )
    page = folder / entry.name
    page.mkdir()
    wheels = [
        _pack(distribution, version, page) for version in (entry.version, newer(entry.version))
    ]
    hashes = [sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    links = [
        f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>'
        for wheel, digest in zip(wheels, hashes, strict=True)
    ]
    (page / "index.html").write_text(
        "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"
    )
    return f"sha256:{hashes[0]}"


def newer(version: str) -> str:
    """Return a later release that every range allows which allows this one: only a pin or a hash refuses it.

    >>> newer("2.62.2"), newer("2.9.0.post0")
    ('2.62.2.post9999', '2.9.0.post9999')
    """
    return f"{version.partition('.post')[0]}.post9999"


def _pack(distribution: importlib.metadata.Distribution, version: str, folder: Path) -> Path:
    name = canonicalize_name(distribution.name).replace("-", "_")
    metadata = re.sub(
        r"(?m)^Version: .*$",
        f"Version: {version}",
        distribution.read_text("METADATA") or "",
        count=1,
    )
    content = {
        f"{name}-{version}.dist-info/METADATA": metadata.encode(),
        f"{name}-{version}.dist-info/WHEEL": _WHEEL.encode(),
    }
    if name == "setuptools" and version == distribution.version:
        content |= _code_of(distribution)
    record = f"{name}-{version}.dist-info/RECORD"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with ZipFile(path, "w") as wheel:
        for member, body in content.items():
            wheel.writestr(member, body)
        wheel.writestr(record, "".join(f"{member},,\n" for member in [*content, record]))
    return path


def _code_of(distribution: importlib.metadata.Distribution) -> dict[str, bytes]:
    written_by_pip = re.compile(
        r"(^|/)(__pycache__|\.\.)/|\.dist-info/(METADATA|WHEEL|RECORD|INSTALLER|REQUESTED|direct_url\.json)$"
    )
    return {
        str(file): file.read_binary()
        for file in distribution.files or []
        if not written_by_pip.search(str(file))
    }
