"""Published scores without a run that made them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq


def publish(
    output: Path,
    *tables: pa.Table,
    format: str = "parquet",
    labels: tuple[str, ...] | None = None,
    model: dict[str, Any] | None = None,
) -> None:
    """Publish a run as far as readers look at it: CURRENT, manifest, files.

    Args:
        output: folder.
        tables: content of each file.
        format: of the files.
        labels: of the job.
        model: what the manifest says of the model.
    """
    folder = output / "runs/r1"
    (folder / "scored").mkdir(parents=True)
    entries = []
    for number, table in enumerate(tables):
        path = folder / f"scored/part-{number}.{format}"
        (pacsv.write_csv if format == "csv" else pq.write_table)(table, path)
        entries.append({"path": f"scored/{path.name}", "rows": table.num_rows})
    schema = [{"name": f.name, "type": str(f.type)} for f in tables[0].schema]
    manifest = {
        "files": entries,
        "schema": schema,
        "job": {"postprocess": {"labels": labels}, "source": {"key": "id"}},
        "model": model or {},
    }
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    (output / "CURRENT").write_text("r1\n")
