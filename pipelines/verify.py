"""Check a published run: `python -m pipelines.verify OUTPUT`.

Exit status 0 when all is as its manifest says, else 3.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from configs.errors import VerifyError
from pipelines.cli.command_line import run_program, say
from pipelines.cli.left_out import left_out_rows
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.shutdown import end_process
from pipelines.verifying.changed_inputs import find_changed_files, find_changed_inputs
from pipelines.verifying.run_problems import ELSEWHERE, find_problems, find_report_problems
from storage import files
from storage.layout import find_current_run, is_published, read_held, read_manifest
from storage.run_folder import RunFolder, is_plain

Manifest: TypeAlias = Mapping[str, Any]


def main(argv: Sequence[str]) -> int:
    """Verify as the command line says, and return the exit status."""
    arguments = _parse(argv)
    with told_as_unreadable(arguments.output):
        run, manifest = _read_documents(arguments.output, arguments.run)
        is_current = run.run_id == find_current_run(run.output)
        of_run = list(find_problems(run, manifest, is_current))
        of_page = list(find_report_problems(run))
    of_inputs = []
    if arguments.inputs:
        of_inputs = [*find_changed_inputs(manifest), *find_changed_files(run, manifest)]
    found = of_run + of_page + of_inputs
    if found:
        problems = "; ".join(found)
        advice = _advise(run, of_run, of_inputs)
        raise VerifyError(f"{run.published}: {problems}{advice}")
    _say_verified(run, manifest, arguments.inputs)
    if not is_published(run):
        say("held back by its monitor, and not published: pipelines.release publishes or drops it")
    return 0


def _advise(run: RunFolder, of_run: Sequence[str], of_inputs: Sequence[str]) -> str:
    """Return what to do about problems; one of a page says it itself."""
    # While its manifest stands, the run is taken for published, and nothing is scored.
    if set(of_run) - {ELSEWHERE}:
        return f"; move {run.published} away, and score the input again to publish it anew"
    if of_run or of_inputs:
        return "; score the input again to publish it anew"
    return ""


def _read_documents(output: str, run_id: str | None) -> tuple[RunFolder, Manifest]:
    """Return a run and its manifest, or what will be that of a run that is held back."""
    if run_id is not None and is_plain(run_id):
        run = RunFolder(files.to_absolute(output), run_id)
        held = None if is_published(run) else read_held(run)
        if held is not None:
            return run, held
    return read_manifest(output, run_id)


def _say_verified(
    run: RunFolder,
    manifest: Manifest,
    with_inputs: bool,
) -> None:
    rows = manifest["rows"]
    file_count = len(manifest["files"])
    say(
        f"verified: run {run.run_id}, {file_count:,} files, "
        f"{rows['in']:,} rows in = {rows['scored']:,} scored + {rows['filtered']:,} filtered + "
        f"{rows['rejected']:,} rejected{left_out_rows(rows)}; every sha256, row count and schema is as published"
    )
    if with_inputs:
        named = ""
        if "listed_files" in manifest:
            named = f", and {manifest['listed_files']['files']:,} files that rows name,"
        print(
            f"inputs: {len(manifest['inputs']):,} files{named} are of the size, times and inode, or the "
            "entity tag, that they had when they were scored; their content was not read"
        )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.verify",
        "Check that a published run is what its manifest says.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    inputs_too = "check too that no input file changed since (size, times and inode, or entity tag)"
    parser.add_argument("--inputs", action="store_true", help=inputs_too)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
