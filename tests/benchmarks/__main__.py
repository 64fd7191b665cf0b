"""The pipeline beside what people would write instead, side by side: `python -m tests.benchmarks`.

    tabular   32 float32 columns, a small MLP                        loops, Ray Data, Daft, Spark, stock RunInference
    wide      200 columns of mixed types with missing values         pandas and scikit-learn
    csv       the tabular rows as CSV, in eight files                 pyarrow, pandas, Polars
    csv_one_file  the same in one file
    jsonl     the tabular rows as JSON lines, in eight files          pyarrow, Polars, DuckDB
    images    JPEG bytes in Parquet, ResNet-18 at 224 x 224          Pillow and torch, Ray Data
    digits    PNG bytes of 8 x 8 pixels, a small CNN                 Pillow and torch
    text      texts of mixed length, a sentence model                transformers, Ray Data
    tiny      10 000 shards of 100 rows                              a loop over files
    batches   the same rows in few and in many batches               the graph's own functions without the graph

What is read is made once and kept in --folder. How runs are measured and compared is in compare.py.
"""

import argparse
from collections.abc import Callable, Sequence
import json
import os
from pathlib import Path
import shutil
import sys

from tests.benchmarks.batches import batches
from tests.benchmarks.compare import Figures, Workload, compare, report, say, shown, spread, table
from tests.benchmarks.digits import digits
from tests.benchmarks.images import images
from tests.benchmarks.lines import csv, csv_one_file, jsonl
from tests.benchmarks.machine import machine
from tests.benchmarks.sizes import CONTENDERS, Sizes
from tests.benchmarks.tabular import tabular
from tests.benchmarks.text import text
from tests.benchmarks.tiny import tiny
from tests.benchmarks.wide import wide

WORKLOADS: dict[str, Callable[[Sizes], Workload | str]] = {
    "tabular": tabular,
    "wide": wide,
    "csv": csv,
    "csv_one_file": csv_one_file,
    "jsonl": jsonl,
    "images": images,
    "digits": digits,
    "text": text,
    "tiny": tiny,
    "batches": batches,
}


def run(workload: Workload, repeats: int, scratch: Path) -> Figures:
    """Measure a workload, print its table, and return its figures."""
    workload.prepare()
    before = workload.before()
    try:
        agreement = compare(workload, repeats, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    summary = report(workload.contenders, agreement)
    print(f"\n{workload.title}\n{table(workload, summary)}")
    extras = {c.name: {"rows": c.shards.rows, **_seconds_and_peak(c.runs)} for c in workload.extras}
    for name, figures in extras.items():
        print(
            f"{name}: {figures['rows']:,} rows, {shown(figures['seconds'])} s, peak {shown(figures['peak_mb'])} MB"
        )
    derived = before | workload.derived(workload)
    for name, value in derived.items():
        print(f"{name}: {shown(value) if isinstance(value, list) else value}")
    sys.stdout.flush()
    return {
        "contenders": summary,
        "absent": dict(workload.absent),
        "extras": extras,
        "derived": derived,
    }


def _seconds_and_peak(runs: Sequence) -> Figures:
    return {
        "seconds": spread([r.seconds for r in runs]),
        "peak_mb": spread([r.peak_bytes / 1e6 for r in runs]),
    }


def _default_folder() -> Path:
    return (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        / "batch-prediction-benchmark"
    )


def _count(text: str) -> int:
    return int(float(text))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--shards", type=int, default=16, help="files of the tabular and wide workloads"
    )
    parser.add_argument("--tabular_rows", type=_count, default=4_000_000)
    parser.add_argument(
        "--engine_rows",
        type=_count,
        default=2_000_000,
        help="rows for Ray Data, Daft and Spark, tabular",
    )
    parser.add_argument(
        "--stock_rows", type=_count, default=20_000, help="rows for stock RunInference, in one file"
    )
    parser.add_argument("--wide_rows", type=_count, default=400_000)
    parser.add_argument(
        "--line_rows", type=_count, default=2_000_000, help="rows of CSV and of JSON lines"
    )
    parser.add_argument("--images", type=_count, default=4_000)
    parser.add_argument("--digits", type=_count, default=50_000)
    parser.add_argument("--texts", type=_count, default=4_096)
    parser.add_argument("--tiny_shards", type=_count, default=10_000)
    parser.add_argument(
        "--batches",
        type=_count,
        default=2_000,
        help="how many batches the graph's own cost is measured on",
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="also the tabular pipeline's peak memory at 4 x --tabular_rows",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=_default_folder(),
        help="where inputs are made once, and kept",
    )
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    options = vars(_arguments(argv))
    names, repeats, path = (options.pop(name) for name in ("workloads", "repeats", "json"))
    wanted, folder = tuple(options.pop("contenders")), options.pop("folder").resolve()
    sizes = Sizes(folder=folder, wanted=wanted, **options)
    say(f"inputs in {folder}")
    figures: dict[str, object] = {}
    for name in names:
        workload = WORKLOADS[name](sizes)
        if isinstance(workload, str):
            print(f"\n{name} is absent: {workload}")
            figures[name] = {"absent": workload}
        else:
            figures[name] = run(workload, repeats, folder / f"scores-{os.getpid()}")
        if path:  # after each: a long call that is stopped keeps what it has
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                json.dumps({"machine": machine(), "workloads": figures}, indent=2) + "\n"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
