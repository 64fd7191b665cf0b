"""What breaks first at 1e12 rows and a million shards: by calculation from the measured cost of a row and of a shard."""

from collections.abc import Iterator, Mapping
from typing import Any

Figures = dict[str, Any]
_ROWS = 10**12
_SHARDS = 10**6
_REQUEST_SECONDS = 0.05
_AT_ONCE = (8, 32, 128)
# What a run should not exceed: (limit, unit); memory of a common machine, an hour of a night, the largest request of a service.
_MEMORY_BYTES = 16 * 2**30
_SERIAL_SECONDS = 3600.0
_GRAPH_BYTES = 10 * 10**6


def per_row_microseconds(size: Figures, nothing: Figures, name: str) -> float:
    """Median cost of a row beyond that of a run without rows."""
    return float(max(0.0, size[name][0] - nothing[name][0]) / size["rows"] * 1e6)


def per_shard(size: Figures, one: Figures) -> dict[str, float]:
    """Median seconds and bytes of memory per shard, beyond those of a run with one shard.

    The resumption's phases are seen from outside; what it does before it has chosen its parts includes planning, which is taken off.
    """

    def growth(run: str, name: str) -> float:
        return float(
            max(0.0, size[run][name][0] - one[run][name][0]) / (size["shards"] - one["shards"])
        )

    costs = {
        "plan": growth("plan", "seconds"),
        "choose": max(0.0, growth("resume", "chosen_seconds") - growth("plan", "seconds")),
        "move": growth("resume", "moved_seconds"),
        "clean": growth("resume", "cleaned_seconds"),
        "plan_cpu": growth("plan", "cpu_seconds"),
        "resume_cpu": growth("resume", "cpu_seconds"),
        "plan_bytes": growth("plan", "peak_mb") * 1e6,
        "resume_bytes": growth("resume", "peak_mb") * 1e6,
    }
    if "score" in size:
        costs["score"] = max(0.0, growth("score", "seconds") - growth("resume", "seconds"))
        costs["score_bytes"] = growth("score", "peak_mb") * 1e6
    return costs


def limits(figures: Figures) -> Iterator[str]:
    """The section of the page: rows, then shards, then what the design does about it."""
    one, largest = figures["shards"]["sizes"][0], figures["shards"]["sizes"][-1]
    scored = [s for s in figures["shards"]["sizes"][1:] if "score" in s]
    costs = per_shard(largest, one) | (
        {"score_bytes": per_shard(scored[-1], one)["score_bytes"]} if scored else {}
    )
    yield "## What breaks first at 1e12 rows and a million shards"
    yield (
        f"By calculation, not measured: each figure below is the one of {largest['shards']:,} shards above (of whole runs, of the most shards that "
        "were scored), taken to grow in proportion. Where elapsed time was within the noise, it is CPU time. "
        "A million rows a shard is one unit of work a shard with the default `sink.rows_per_file`."
    )
    yield _rows_text(figures["rows"]["sizes"])
    yield from _serial(one, largest, costs)
    if "requests" in figures:
        yield from _store(figures["requests"])
    yield _DESIGN


def _rows_text(sizes: list[Figures]) -> str:
    seconds = _ROWS * per_row_microseconds(sizes[-1], sizes[0], "seconds") / 1e6
    return (
        f"**Rows** do not break anything: they pass through workers in batches, and memory does not grow with them (first table). "
        f"{_ROWS:.0e} rows take {seconds / 86_400:.1f} days on one machine like this, or 8 hours on {seconds / 28_800:.0f} of them."
    )


def _serial(one: Figures, largest: Figures, costs: Mapping[str, float]) -> Iterator[str]:
    """What one process does for every shard, and how many shards it takes until that is too much."""
    shards, base = largest["shards"], one["plan"]["peak_mb"][0] * 1e6
    publish = costs["choose"] + costs["move"] + costs["clean"]
    everything = costs.get("score_bytes", costs["resume_bytes"])
    graph = max(0.0, (largest["graph_bytes"] - one["graph_bytes"]) / (shards - one["shards"]))
    rows = [
        (
            "planning, local disk",
            costs["plan"] or costs["plan_cpu"],
            0.0,
            _SERIAL_SECONDS,
            1.0,
            "s",
        ),
        ("finding all done and publishing, local disk", publish, 0.0, _SERIAL_SECONDS, 1.0, "s"),
        ("memory of a launcher that plans", costs["plan_bytes"], base, _MEMORY_BYTES, 1e6, "MB"),
        (
            "memory of one process that plans, scores and publishes (DirectRunner)",
            everything,
            base,
            _MEMORY_BYTES,
            1e6,
            "MB",
        ),
        ("graph that the runner is given", graph, one["graph_bytes"], _GRAPH_BYTES, 1e6, "MB"),
    ]
    yield "**Shards** do: one process lists them, reads their footers, stores the plan, and in the end publishes."
    lines = ["| | at 1,000,000 shards | limit taken | reached at shards |", "|---|---:|---:|---:|"]
    reached = {
        name: (limit - fixed) / cost if cost > 0 else float("inf")
        for name, cost, fixed, limit, _, _ in rows
    }
    for name, cost, fixed, limit, scale, unit in rows:
        at = f"{reached[name]:,.0f}" if reached[name] < float("inf") else "never"
        lines.append(
            f"| {name} | {(fixed + cost * _SHARDS) / scale:,.1f} {unit} | {limit / scale:,.0f} {unit} | {at} |"
        )
    yield "\n".join(lines)
    first = min(reached, key=lambda name: reached[name])
    at = f"at {reached[first]:,.0f} shards" if reached[first] < float("inf") else "never"
    yield (
        f"The first of these limits to be reached is **{first}**, {at}. `plan.json` would have "
        f"{largest['plan_bytes'] / shards * _SHARDS / 1e6:,.0f} MB, `_manifest.json` "
        f"{largest['manifest_bytes'] / shards * _SHARDS / 1e6:,.0f} MB, all done-records together "
        f"{largest['done_bytes'] / shards * _SHARDS / 1e6:,.0f} MB; the first two are read and written whole, by one process."
    )


def _store(requests: Figures) -> Iterator[str]:
    """Hours that requests alone take, if each takes as long as it usually does and nothing else is slow."""
    publish = sum(n for key, n in requests["run"].items() if key.startswith("published file"))
    publish += sum(
        n
        for key, n in requests["run"].items()
        if key.startswith("done-record: GET") and "not there" not in key
    )
    plan = sum(requests["plan"].values())
    work = sum(requests["run"].values()) - plan - publish
    yield (
        f"**On an object store** the requests count, at {_REQUEST_SECONDS * 1e3:.0f} ms each and P at a time, for a million shards (hours; "
        "planning and publishing are one process each, the units are spread over all workers):"
    )
    heads = ["", "requests per shard", *(f"P = {p}" for p in _AT_ONCE)]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name, count in (("planning", plan), ("units of work", work), ("publishing", publish)):
        hours = [f"{count * _SHARDS * _REQUEST_SECONDS / p / 3600:.2f}" for p in _AT_ONCE]
        lines.append(f"| {' | '.join([name, f'{count:g}', *hours])} |")
    yield "\n".join(lines)


_DESIGN = """\
What the design does about it, and what it does not:

- **Units, not shards, are the work.** A large shard is cut into units of at most `sink.rows_per_file` rows, inside row groups too, and
  few rows into some 64 of them, so workers stay busy with few shards. The cure for a million shards is fewer, larger ones: 1e12 rows in 100,000 shards with
  `sink.rows_per_file=10_000_000` are 100,000 units, and every figure above is a tenth. Small shards are put together, some hundred to a unit: a million
  tiny shards are some thousand units and output files; each of them is still opened twice, and merged ones are not.
- **The graph does not grow.** It holds the place of the plan, and never the plan: see the column above.
- **Rows never meet the launcher.** What passes from workers to publishing is one small record per unit.
- **A failure costs units, not the run.** A done-record per unit lets a killed run of a million units resume with those that are missing;
  it plans again, and asks for each record once.
- **Several runs.** One run is one plan, one manifest and one publication. Partitions (a day, a region) with an output each are runs of
  their own: a hundred runs of 10,000 shards plan and publish independently, at a hundredth of the figures above, and are visible one
  by one instead of all at once.
- **Not done**: plan and manifest are each one JSON document, and one process publishes. A run that must be a million shards and become
  visible in one move pays the figures above."""
