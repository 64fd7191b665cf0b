"""Check a published run: `python -m pipelines.verify OUTPUT`. Exit status 0 when all is as its manifest says, else 3."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
import os
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import VerifyError
from pipelines.command_line import EXIT_STATUSES, Parser, run_program
from pipelines.leaving import leave
from storage import files
from storage.layout import RunFolder, current_run, read_manifest
from transforms.manifest import ROW_COUNTS, content_sha256, describe_schema
from transforms.part_file import count_rows


def main(argv: Sequence[str]) -> int:
    """Verify as the command line says, and return the exit status."""
    arguments = _parse(argv)
    run, manifest = read_manifest(arguments.output, arguments.run)
    problems = list(problems_of(run, manifest, is_current=run.run_id == current_run(run.output)))
    if problems:
        raise VerifyError(f"{run.published}: " + "; ".join(problems) + "; score the input again to publish it anew")
    rows = manifest["rows"]
    print(
        f"verified: run {run.run_id}, {len(manifest['files']):,} files, {rows['in']:,} rows in = {rows['scored']:,} scored + ",
        end="",
    )
    print(f"{rows['filtered']:,} filtered + {rows['rejected']:,} rejected; every sha256, row count and schema is as published")
    return 0


def problems_of(run: RunFolder, manifest: Mapping[str, Any], is_current: bool) -> Iterator[str]:
    """Everything in which the run's folder differs from its manifest, in words."""
    try:
        yield from _books(manifest)
        yield from _content(run, manifest)
        yield from _strays(run, manifest)
        if is_current:
            yield from _link(run)
    except (KeyError, TypeError) as error:
        yield f"manifest.json is not a manifest: {type(error).__name__}: {error}"


def _books(manifest: Mapping[str, Any]) -> Iterator[str]:
    rows = manifest["rows"]
    if rows["in"] != rows["scored"] + rows["filtered"] + rows["rejected"]:
        yield f"the books do not balance: {rows}"
    for unit in manifest["units"]:
        if unit["in"] != unit["scored"] + unit["filtered"] + unit["rejected"]:
            yield f"{unit['shard']} from row {unit['first_row']}: the books of this unit do not balance"
    for name in ROW_COUNTS:
        if (listed := sum(unit[name] for unit in manifest["units"])) != rows[name]:
            yield f"the units come to {listed} rows {name}, but the manifest's total is {rows[name]}"
    for name, entries in (("scored", manifest["files"]), ("rejected", manifest["rejected_files"])):
        if (listed := sum(e["rows"] for e in entries)) != rows[name]:
            yield f"the files hold {listed} {name} rows, but the manifest's total is {rows[name]}"
    if content_sha256(manifest["files"] + manifest["rejected_files"]) != manifest["content_sha256"]:
        yield "the manifest's list of files was altered (content_sha256 differs)"


def _content(run: RunFolder, manifest: Mapping[str, Any]) -> Iterator[str]:
    for entry in manifest["files"] + manifest["rejected_files"]:
        url = f"{run.published}/{entry['path']}"
        try:
            if files.sha256_of(url) != entry["sha256"]:
                yield f"{entry['path']}: its content was altered (sha256 differs)"
            elif count_rows(url, url.rsplit(".", 1)[1]) != entry["rows"]:
                yield f"{entry['path']}: does not hold {entry['rows']} rows"
        except FileNotFoundError:
            yield f"{entry['path']}: is missing"
    for entry in manifest["files"]:
        if entry["path"].endswith(".parquet") and (
            difference := _other_schema(f"{run.published}/{entry['path']}", manifest["schema"])
        ):
            yield f"{entry['path']}: {difference}"


def _other_schema(url: str, schema: Sequence[Mapping[str, str]]) -> str | None:
    try:
        with files.open_read(url) as file:
            stored = describe_schema(pq.read_schema(file))
    except (OSError, pa.ArrowException):
        return None  # reported with its digest or as missing
    return None if stored == list(schema) else "its columns or their types are not those of the run"


def _strays(run: RunFolder, manifest: Mapping[str, Any]) -> Iterator[str]:
    listed = {e["path"] for e in manifest["files"]}
    for name in files.names_in(run.published):
        if name.startswith("part-") and name not in listed:
            yield f"{name}: is not in the manifest, but a reader of part-* would take it"


def _link(run: RunFolder) -> Iterator[str]:
    link = files.join(run.output, "current")
    if files.is_local(link) and os.path.realpath(link) != os.path.realpath(run.published):
        yield "the link `current` does not lead to the run that CURRENT names"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser("pipelines.verify", "Check that a published run is what its manifest says.", EXIT_STATUSES)
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments, unknown = parser.parse_known_args(list(argv))
    parser.refuse_unknown(unknown)
    return arguments


if __name__ == "__main__":
    leave(run_program(main))
