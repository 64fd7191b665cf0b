"""Writes requires.json: what those locked distributions require that only some of the supported Pythons and machines install.

`python -m tests.installation.requires`, the last step of `make lock`. Comes in: the locks. Goes out: for each entry that is not installed
everywhere, the Requires-Dist lines of its metadata. With them a test on one Python knows whether the locks are whole on the others.
"""

from email.parser import HeaderParser
import importlib.metadata
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import zipfile

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.installation.locks import IMAGE, RUNTIME, TEST, Entry, entries, environments

FILE = Path(__file__).with_name("requires.json")


def entries_of_some() -> list[Entry]:
    """Return the entries of our locks that some of the supported environments install, and others do not."""
    found = {
        (entry.name, entry.version): entry
        for lock in (RUNTIME, TEST, IMAGE)
        for entry in entries(lock)
    }
    active = {
        key: [entry.is_active(values) for values in environments().values()]
        for key, entry in found.items()
    }
    return [
        entry for key, entry in sorted(found.items()) if any(active[key]) and not all(active[key])
    ]


def installed_requires(entry: Entry) -> list[str] | None:
    """Return what an entry requires, sorted, by its installed metadata; None where this very version is not installed."""
    try:
        distribution = importlib.metadata.distribution(entry.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return sorted(distribution.requires or []) if distribution.version == entry.version else None


def installed_pythons(entry: Entry) -> SpecifierSet:
    """Return for which Pythons an entry is; for all where this very version is not installed."""
    try:
        distribution = importlib.metadata.distribution(entry.name)
    except importlib.metadata.PackageNotFoundError:
        return SpecifierSet()
    if distribution.version != entry.version:
        return SpecifierSet()
    return SpecifierSet(distribution.metadata.get("Requires-Python") or "")


def recorded_requires() -> dict[str, list[str]]:
    """Return the content of requires.json: the requirements by `name==version`."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def downloaded_requires(entry: Entry) -> list[str]:
    """Return what an entry requires by the metadata of its wheel for the first supported Python that installs it, on Linux x86-64."""
    python = next(
        values["python_version"] for values in environments().values() if entry.is_active(values)
    )
    with tempfile.TemporaryDirectory() as folder:
        where = ["--python-version", python, "--only-binary", ":all:", "--dest", folder]
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--quiet",
            "--no-deps",
        ]
        subprocess.run([*pip, *where, f"{entry.name}=={entry.version}"], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = HeaderParser().parsestr(wheel.read(member).decode())
    assert canonicalize_name(metadata["Name"]) == entry.name
    return sorted(metadata.get_all("Requires-Dist") or [])


def requires(entry: Entry, recorded: dict[str, list[str]]) -> list[str]:
    """Return what an entry requires: as installed here, else as recorded before (a release never changes), else by its wheel."""
    installed = installed_requires(entry)
    if installed is not None:
        return installed
    known = recorded.get(f"{entry.name}=={entry.version}")
    return downloaded_requires(entry) if known is None else known


def main() -> None:
    """Write the file anew."""
    recorded = recorded_requires()
    content = {
        f"{entry.name}=={entry.version}": requires(entry, recorded) for entry in entries_of_some()
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
