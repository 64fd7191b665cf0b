"""Measure how much the quick tests prove: `python -m tests.mutants --count 200 --seed 0`.

Draws small changes of our code, tries each with the tests that execute it, and tells which nobody
noticed. A test that starts a program is none of the quick ones: a program would not see the change
(tests.mutants.promises is for those).
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
import json
from pathlib import Path
import shlex
import sys
import time

from tests.mutants.equivalent import read_list, stale
from tests.mutants.mutations import ROOMS, Mutation, all_mutations, sample
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
)

QUICK_TESTS = '-m "not program and not slow" tests'


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
    reach, is_new = reach_of(shlex.split(arguments.tests))
    how = "measured" if is_new else "as kept"
    print(
        f"{len(reach.seconds):,} tests, {how}, after {time.monotonic() - began:.0f} s", flush=True
    )
    for test in reach.failed:
        print(f"  fails without any mutation, and is left out: {test}")
    tried = [m for m in chosen if m.name not in listed]
    verdicts = [Verdict(m, EQUIVALENT) for m in chosen if m.name in listed]
    verdicts += try_all(tried, reach, arguments.at_most_seconds, arguments.jobs, _tell)
    doubtful = failing_anyway(v.by for v in verdicts)
    verdicts = [_without_doubt(v) if v.by in doubtful else v for v in verdicts]
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
    return sample(of_rooms, arguments.count, arguments.seed)


def _without_doubt(verdict: Verdict) -> Verdict:
    """Return it as not found: what failed fails without the mutation, too, when it runs alone."""
    return replace(verdict, outcome=LIVED, by=f"{verdict.by}, which fails without it, too")


def _tell(verdict: Verdict) -> None:
    by = f" by {verdict.by}" if verdict.by else ""
    tests = f", {verdict.tests} tests" if verdict.outcome == LIVED else ""
    print(f"{verdict.seconds:6.1f} s  {verdict.outcome}{tests}  {verdict.mutation}{by}", flush=True)


def _report(verdicts: Sequence[Verdict]) -> float:
    """Print the table and the survivors, and return the percentage that was found."""
    counts = Counter((v.mutation.file.partition("/")[0], v.outcome) for v in verdicts)
    outcomes = (FOUND, LIVED, NOT_REACHED, EQUIVALENT)
    print(f"\n{'room':12}" + "".join(f"{outcome:>14}" for outcome in outcomes))
    for room in sorted({room for room, _ in counts}):
        print(f"{room:12}" + "".join(f"{counts[room, outcome]:>14}" for outcome in outcomes))
    totals = Counter(v.outcome for v in verdicts)
    print(f"{'all':12}" + "".join(f"{totals[outcome]:>14}" for outcome in outcomes) + "\n")
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


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    formatter = argparse.RawDescriptionHelpFormatter
    parser.formatter_class = formatter
    parser.add_argument("--count", type=int, default=200, help="how many mutations (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    parser.add_argument(
        "--rooms", type=_rooms, default=ROOMS, help="comma-separated (default: all)"
    )
    parser.add_argument("--tests", default=QUICK_TESTS, help=f"pytest's arguments ({QUICK_TESTS})")
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
