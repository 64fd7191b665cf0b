"""A published run as earlier versions laid it out.

the last one      runs/<run_id>/part-...  beside _manifest.json and _rejected/
the first ones    runs/<run_id>/part-...  beside manifest.json and rejected/
"""

import hashlib
import json
from pathlib import Path
from typing import Any

LAST, FIRST = "last", "first"


def lay_out_as_before(run: Path, version: str) -> None:
    """Give a run the names that an earlier version gave, in its manifest and in the link as well.

    Args:
        run: the folder of a run that this version published.
        version: `LAST` or `FIRST`.
    """
    manifest = json.loads((run / "_manifest.json").read_text())
    for entry in manifest["files"]:
        entry["path"] = entry["path"].removeprefix("scored/")
    for part in (run / "scored").iterdir():
        part.rename(run / part.name)
    (run / "scored").rmdir()
    (run / "_manifest.json").unlink()
    name = "_manifest.json"
    if version == FIRST:
        name = "manifest.json"
        _name_rejected_as_at_first(run, manifest)
    manifest["content_sha256"] = _digest(manifest["files"] + manifest["rejected_files"])
    (run / name).write_text(json.dumps(manifest))
    output = run.parent.parent
    if (output / "CURRENT").read_text().strip() == run.name:
        (output / "current").unlink()
        (output / "current").symlink_to(f"runs/{run.name}")


def _name_rejected_as_at_first(run: Path, manifest: dict[str, Any]) -> None:
    for entry in manifest["rejected_files"]:
        entry["path"] = entry["path"].removeprefix("_")
    if (run / "_rejected").exists():
        (run / "_rejected").rename(run / "rejected")


def _digest(entries: list[dict[str, Any]]) -> str:
    lines = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
