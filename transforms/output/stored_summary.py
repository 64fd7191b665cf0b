"""A file of what was computed beside the scores gets its name, which carries its content's digest."""

import hashlib
from typing import Any

from storage import files
from storage.run_folder import SUMMARIES, RunFolder

_DIGEST_DIGITS = 12


def put_summary(
    run: RunFolder,
    name: str,
    content: bytes,
    rows: int,
) -> dict[str, Any]:
    """Store a file beside the scores, and return its entry of the manifest.

    Args:
        run: the run.
        name: what its file is called.
        content: of a Parquet file.
        rows: how many it has.
    """
    digest = hashlib.sha256(content).hexdigest()
    # Its digest in the name: no other launcher can put another content under it. The name is durable, too,
    # before the manifest lists it.
    path = f"{SUMMARIES}/{name}-{digest[:_DIGEST_DIGITS]}.parquet"
    files.replace(files.join(run.published, path), content, scratch=run.temporary)
    return {
        "name": name,
        "path": path,
        "rows": rows,
        "bytes": len(content),
        "sha256": digest,
    }
