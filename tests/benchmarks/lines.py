"""CSV and JSON lines of 32 columns through a small MLP: the pipeline beside loops with the readers that people use."""

from functools import partial
from importlib.util import find_spec

from tests.benchmarks.answers import PROBABILITIES
from tests.benchmarks.compare import Contender, Shards, Workload
from tests.benchmarks.contenders import loop, made, pipeline, selected
from tests.benchmarks.machine import INSTALL_OTHERS
from tests.benchmarks.sizes import Sizes

# By format, the loops; `best` is the fastest of them with both cores.
_LOOPS = {
    "csv": ("pyarrow", "pandas", "polars", "best"),
    "jsonl": ("pyarrow", "polars", "duckdb", "best"),
}
_TITLES = {"csv": "CSV", "jsonl": "JSON lines"}


def _lines(sizes: Sizes, file_format: str, files: int) -> Workload:
    folder = sizes.folder / file_format
    shards = Shards(folder, sizes.line_rows, files)
    package = folder / "package-32-64"
    # Text does not say of which type a key is.
    source = {
        "paths": f"{shards.path}/*.{file_format}",
        "format": file_format,
        "types": {"id": "int64"},
    }
    scored = pipeline(shards, package, PROBABILITIES.columns, {"source": source})
    contenders: list[Contender] = [scored]
    absent = {}
    for name in _LOOPS[file_format]:
        # What the best loops read with, too.
        library = "polars" if name == "best" and file_format == "jsonl" else name
        if library != "best" and find_spec(library) is None:
            absent[name] = f"{library} is not installed; {INSTALL_OTHERS}"
            continue
        contenders.append(loop(file_format, name, shards, package))
    title = f"{_TITLES[file_format]}: 32 columns in {files} file(s), MLP 32-64-1"
    workload = Workload(
        name=f"{file_format}_{files}",
        title=title,
        contenders=contenders,
        reference="pyarrow",
        agreement=PROBABILITIES,
        absent=absent,
        prepare=made("lines_data", folder, contenders),
    )
    return selected(workload, sizes.wanted)


csv = partial(_lines, file_format="csv", files=8)
csv_one_file = partial(_lines, file_format="csv", files=1)
jsonl = partial(_lines, file_format="jsonl", files=8)
