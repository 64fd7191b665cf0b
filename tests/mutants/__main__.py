"""Measure how much the quick tests prove: `python -m tests.mutants --count 200 --seed 0`.

Draws small changes of our code, tries each with the file of tests that mirrors the changed one, tries
what lives with all tests that execute it, and tells which nobody noticed. A test that starts a program is none of the quick ones: a program would not see the change
(tests.mutants.promises is for those).
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
import json
from pathlib import Path
import shlex
import sys
import time

from tests.mutants.collected import try_collected
from tests.mutants.equivalent import read_list, stale
from tests.mutants.mutations import ROOMS, Mutation, all_mutations, sample
from tests.mutants.near import near_test_files, own_test_files
from tests.mutants.process import warm_up
from tests.mutants.reach import reach_of
from tests.mutants.trials import (
    EQUIVALENT,
    FOUND,
    LIVED,
    NOT_REACHED,
    Verdict,
    failing_anyway,
    try_all,
    try_imported,
)

QUICK = "not program and not slow"
# Of what was found: how much by the test file that mirrors the mutated one.
_BY_OWN_FILE = "by its own file"
_OUTCOMES = (FOUND, _BY_OWN_FILE, LIVED, NOT_REACHED, EQUIVALENT)


def main(argv: Sequence[str]) -> int:
    """Try mutations as the command line says, and return the exit status."""
    arguments = _parse(argv)
    began = time.monotonic()
    everything = all_mutations()
    listed = read_list()
    if old := stale(listed, everything):
        sys.exit(f"tests/mutants/equivalent.txt: fits no mutation any more: {old[0]}")
    chosen = _chosen(arguments, everything)
    warm_up()
    verdicts = [Verdict(m, EQUIVALENT) for m in chosen if m.name in listed]
    verdicts += _try(arguments, [m for m in chosen if m.name not in listed])
    rate = _report(verdicts)
    print(f"{time.monotonic() - began:.0f} s")
    if arguments.json is not None:
        content = {
            "seed": arguments.seed,
            "rate": rate,
            "verdicts": [v.as_dict() for v in verdicts],
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(arguments.at_least is not None and rate < arguments.at_least)


def _chosen(arguments: argparse.Namespace, everything: Sequence[Mutation]) -> list[Mutation]:
    if arguments.only:
        return [m for m in everything if f"{m.file}:{m.line}" in arguments.only]
    if arguments.lived is not None:
        kept = json.loads(arguments.lived.read_text())["verdicts"]
        names = {v["mutation"] for v in kept if v["outcome"] in (LIVED, NOT_REACHED)}
        return [m for m in everything if m.name in names]
    of_rooms = [m for m in everything if m.file.partition("/")[0] in arguments.rooms]
    if arguments.files:
        of_rooms = [m for m in of_rooms if m.file.startswith(arguments.files)]
    return sample(of_rooms, arguments.count, arguments.seed)


def _try(arguments: argparse.Namespace, mutations: Sequence[Mutation]) -> list[Verdict]:
    """Try mutations with the tests that are nearest, and what lives with more of them."""
    found: list[Verdict] = []
    # What lived in an earlier run lived on the files of its name.
    if arguments.lived is None or not arguments.near_files:
        found += _try_files(arguments, mutations, own_test_files)
        print(f"{len(found)} of {len(mutations)} found by the files of their name", flush=True)
    left = _without(mutations, found)
    if arguments.near_files:
        found += _try_files(arguments, left, near_test_files)
        left = _without(mutations, found)
    if arguments.own_files or arguments.near_files:
        return found + [Verdict(mutation, LIVED) for mutation in left]
    # The pass over all tests takes minutes, and nobody may need it.
    return found + _try_everywhere(arguments, left) if left else found


def _try_files(
    arguments: argparse.Namespace,
    mutations: Sequence[Mutation],
    files_of: Callable[[str], tuple[str, ...]],
) -> list[Verdict]:
    """Return what some test files find: at once, or as a process imports the changed file."""
    how = (arguments.marks, files_of, arguments.jobs, _tell)
    settled, tests = try_collected(mutations, *how)
    left = _without(mutations, settled)
    imported = try_imported(left, tests, arguments.jobs, _tell)
    doubtful = failing_anyway(verdict.by for verdict in imported)
    found = [verdict for verdict in settled if verdict.outcome == FOUND]
    return found + [verdict for verdict in imported if verdict.by not in doubtful]


def _without(mutations: Sequence[Mutation], found: Sequence[Verdict]) -> list[Mutation]:
    done = {verdict.mutation for verdict in found}
    return [mutation for mutation in mutations if mutation not in done]


def _try_everywhere(arguments: argparse.Namespace, mutations: Sequence[Mutation]) -> list[Verdict]:
    """Try mutations with every test that reaches them."""
    began = time.monotonic()
    places = shlex.split(arguments.tests)
    reach, is_new = reach_of(["-m", arguments.marks, *places])
    seconds = time.monotonic() - began
    how = f"measured in {seconds:.0f} s" if is_new else "as kept"
    print(f"{len(reach.seconds):,} tests, {how}", flush=True)
    for test in reach.failed:
        print(f"  fails without any mutation, and is left out: {test}")
    verdicts = try_all(mutations, reach, arguments.at_most_seconds, arguments.jobs, _tell)
    doubtful = failing_anyway(verdict.by for verdict in verdicts)
    return [_without_doubt(v) if v.by in doubtful else v for v in verdicts]


def _without_doubt(verdict: Verdict) -> Verdict:
    """Return it as not found: what failed fails without the mutation, too, when it runs alone."""
    return replace(verdict, outcome=LIVED, by=f"{verdict.by}, which fails without it, too")


def _tell(verdict: Verdict) -> None:
    by = f" by {verdict.by}" if verdict.by else ""
    tests = f", {verdict.tests} tests" if verdict.outcome == LIVED else ""
    print(f"{verdict.seconds:6.1f} s  {verdict.outcome}{tests}  {verdict.mutation}{by}", flush=True)


def _report(verdicts: Sequence[Verdict]) -> float:
    """Print the table and the survivors, and return the percentage that was found."""
    rooms = sorted({_room(verdict) for verdict in verdicts})
    print("\n" + _row("room", _OUTCOMES))
    for room in rooms:
        counts = _count(verdict for verdict in verdicts if _room(verdict) == room)
        print(_row(room, [counts[outcome] for outcome in _OUTCOMES]))
    totals = _count(verdicts)
    print(_row("all", [totals[outcome] for outcome in _OUTCOMES]) + "\n")
    for verdict in (v for v in verdicts if v.outcome in (LIVED, NOT_REACHED)):
        cut = f" (time left out {verdict.left_out} tests)" if verdict.left_out else ""
        by = f" by {verdict.by}" if verdict.by else ""
        print(f"{verdict.outcome}{cut}{by}: {verdict.mutation}")
        print(f"    {verdict.mutation.name}")
    tried = len(verdicts) - totals[EQUIVALENT]
    rate = 100.0 * totals[FOUND] / tried if tried else 100.0
    timeouts = sum(v.by == "timeout" for v in verdicts)
    print(f"\nfound {totals[FOUND]} of {tried}, {rate:.1f} % ({timeouts} of them by a timeout)")
    return rate


def _room(verdict: Verdict) -> str:
    return verdict.mutation.file.partition("/")[0]


def _row(first: str, others: Sequence[object]) -> str:
    """Return a line of the table."""
    cells = [f"{other:>17}" for other in others]
    return f"{first:12}" + "".join(cells)


def _count(verdicts: Iterable[Verdict]) -> Counter[str]:
    """Count outcomes; what the mirroring file found counts in a column more."""
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts[verdict.outcome] += 1
        file, _, _ = verdict.by.partition("::")
        is_own = file in own_test_files(verdict.mutation.file)
        counts[_BY_OWN_FILE] += verdict.outcome == FOUND and is_own
    return counts


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    formatter = argparse.RawDescriptionHelpFormatter
    parser.formatter_class = formatter
    parser.add_argument("--count", type=int, default=200, help="how many mutations (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    parser.add_argument(
        "--rooms", type=_rooms, default=ROOMS, help="comma-separated (default: all)"
    )
    parser.add_argument(
        "--files",
        type=_paths,
        default=(),
        help="comma-separated beginnings of paths (default: all)",
    )
    parser.add_argument("--tests", default="tests", help="where tests are (default: tests)")
    parser.add_argument("--marks", default=QUICK, help=f"which of them ({QUICK})")
    own = "ask nothing but the test files that mirror the mutated ones, which needs no pass"
    parser.add_argument("--own_files", action="store_true", help=own)
    near = "ask these, and of what lives those that import the changed file, or what imports it"
    parser.add_argument("--near_files", action="store_true", help=near)
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (default: 2)")
    seconds = "of tests per mutant, as measured in the pass; the report says where that cut"
    parser.add_argument("--at_most_seconds", type=float, default=40.0, help=f"{seconds} (40)")
    parser.add_argument("--only", action="append", metavar="FILE:LINE", help="only what is there")
    parser.add_argument(
        "--lived", type=Path, metavar="JSON", help="only an earlier run's survivors"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave the result there, too")
    parser.add_argument("--at_least", type=float, metavar="PERCENT", help="else exit status 1")
    return parser.parse_args(argv)


def _rooms(text: str) -> tuple[str, ...]:
    rooms = tuple(text.split(","))
    if unknown := set(rooms) - set(ROOMS):
        raise argparse.ArgumentTypeError(f"{unknown.pop()} is none of {', '.join(ROOMS)}")
    return rooms


def _paths(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
