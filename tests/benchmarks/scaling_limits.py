"""What breaks first at 1e12 rows and a million shards: by calculation from the measured cost of a row and of a shard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Figures = dict[str, Any]
_ROWS = 10**12
_SHARDS = 10**6
_REQUEST_SECONDS = 0.05
_AT_ONCE = (8, 32, 128)
# Of a shard, while a run is planned: its end. (A dry run asks again, for what is missing in its columns.)
_PLANNING_REQUESTS = 1.0
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
    together = _grow("put together", figures["shards"]["sizes"])
    alone = _grow("a unit each", figures["units"]["sizes"])
    yield "## What breaks first at 1e12 rows and a million shards"
    yield (
        f"By calculation, not measured: the figures below are those of {together.shards:,} shards that are put together and of {alone.shards:,} "
        "that are a unit each (memory of whole runs: of the most that were scored), taken to grow in proportion. Where elapsed time was within "
        "the noise, it is CPU time. 1e12 rows in a million shards are a million rows a shard, which is one unit with the default "
        "`sink.rows_per_file`; a million shards of less than 1 MiB are put together."
    )
    yield _rows_text(figures["rows"]["sizes"])
    yield "**Shards** do: one process lists them, reads their footers, stores the plan, and in the end publishes."
    yield _serial(together, alone)
    yield " ".join(_describe_first(growth) for growth in (together, alone))
    if "requests" in figures:
        yield from _store(figures["requests"], together)
    yield _DESIGN


class _Limit(NamedTuple):
    """What one process does or holds for every shard, and what it should not exceed, in units of `scale`."""

    cost: float
    fixed: float
    limit: float
    scale: float
    unit: str

    def reach(self) -> float:
        """Return the number of shards that come to the limit."""
        return (self.limit - self.fixed) / self.cost if self.cost > 0 else float("inf")

    def say_value(self) -> str:
        value = (self.fixed + self.cost * _SHARDS) / self.scale
        return f"{value:,.1f} {self.unit}"

    def say_reach(self) -> str:
        reached = self.reach()
        return f"{reached:,.0f}" if reached < float("inf") else "never"


@dataclass(frozen=True)
class _Growth:
    """How the cost of shards of one kind grows.

    Attributes:
        kind: how the page calls them.
        shards, units: of the largest size, and how many units of work those were.
        stored_bytes: of each shard, by what is stored.
    """

    kind: str
    shards: int
    units: int
    limits: dict[str, _Limit]
    stored_bytes: dict[str, float]


def _grow(kind: str, sizes: Sequence[Figures]) -> _Growth:
    one, largest = sizes[0], sizes[-1]
    costs = per_shard(largest, one)
    # The runs that score may end before those that do not.
    scored = [per_shard(size, one) for size in sizes[1:] if "score" in size]
    everything = scored[-1]["score_bytes"] if scored else costs["resume_bytes"]
    publish = costs["choose"] + costs["move"] + costs["clean"]
    shards, base = largest["shards"], one["plan"]["peak_mb"][0] * 1e6
    graph = max(0.0, (largest["graph_bytes"] - one["graph_bytes"]) / (shards - one["shards"]))
    plan = costs["plan"] or costs["plan_cpu"]
    found = {
        "planning, local disk": _Limit(plan, 0.0, _SERIAL_SECONDS, 1.0, "s"),
        "finding all done and publishing, local disk": _Limit(
            publish, 0.0, _SERIAL_SECONDS, 1.0, "s"
        ),
        "memory of a launcher that plans": _Limit(
            costs["plan_bytes"], base, _MEMORY_BYTES, 1e6, "MB"
        ),
        "memory of one process that plans, scores and publishes (DirectRunner)": _Limit(
            everything, base, _MEMORY_BYTES, 1e6, "MB"
        ),
        "graph that the runner is given": _Limit(
            graph, one["graph_bytes"], _GRAPH_BYTES, 1e6, "MB"
        ),
    }
    stored = {name: largest[f"{name}_bytes"] / shards for name in ("plan", "manifest", "done")}
    return _Growth(kind, shards, largest["units"], found, stored)


def _rows_text(sizes: list[Figures]) -> str:
    seconds = _ROWS * per_row_microseconds(sizes[-1], sizes[0], "seconds") / 1e6
    return (
        f"**Rows** do not break anything: they pass through workers in batches, and memory does not grow with them (first table). "
        f"{_ROWS:.0e} rows take {seconds / 86_400:.1f} days on one machine like this, or 8 hours on {seconds / 28_800:.0f} of them."
    )


def _serial(together: _Growth, alone: _Growth) -> str:
    """The table of what one process does for every shard, and how many shards it takes until that is too much."""
    heads = ["", "limit taken"]
    for growth in (together, alone):
        heads += [f"1,000,000 shards, {growth.kind}", "limit reached at shards"]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name, limit in together.limits.items():
        cells = [name, f"{limit.limit / limit.scale:,.0f} {limit.unit}"]
        for one in (limit, alone.limits[name]):
            cells += [one.say_value(), one.say_reach()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _describe_first(growth: _Growth) -> str:
    """Name the limit that is reached first, and the sizes of what is stored."""
    first = min(growth.limits, key=lambda name: growth.limits[name].reach())
    plan, manifest, done = (
        f"{growth.stored_bytes[name] * _SHARDS / 1e6:,.0f} MB"
        for name in ("plan", "manifest", "done")
    )
    return (
        f"Of shards that are {growth.kind} the first of these limits to be reached is **{first}**, at {growth.limits[first].say_reach()} "
        f"shards; a million have a `plan.json` of {plan}, a `_manifest.json` of {manifest}, and done-records of {done} together."
    )


def _store(requests: Figures, together: _Growth) -> Iterator[str]:
    """Hours that requests alone take, if each takes as long as it usually does and nothing else is slow."""
    shard, unit = (sum(requests[cause].values()) for cause in ("run", "unit"))
    publish = sum(n for key, n in requests["unit"].items() if key.startswith("published file"))
    publish += requests["unit"].get("done-record: GET", 0)
    yield (
        f"**On an object store** the requests count, at {_REQUEST_SECONDS * 1e3:.0f} ms each and P at a time, for a million shards (hours; "
        "planning and publishing are one process each, the units are spread over all workers). Those of a unit are shared by the shards "
        f"that are put together, as many as above: {together.shards / together.units:,.0f} to a unit."
    )
    heads = ["", "requests per shard", *(f"P = {p}" for p in _AT_ONCE)]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    counts = {"planning": _PLANNING_REQUESTS}
    for kind, units in ((together.kind, together.units / together.shards), ("a unit each", 1.0)):
        counts[f"units of work, {kind}"] = shard - _PLANNING_REQUESTS + (unit - publish) * units
        counts[f"publishing, {kind}"] = publish * units
    for name, count in counts.items():
        hours = [f"{count * _SHARDS * _REQUEST_SECONDS / p / 3600:.2f}" for p in _AT_ONCE]
        lines.append(f"| {' | '.join([name, f'{count:.3g}', *hours])} |")
    yield "\n".join(lines)


_DESIGN = """\
What the design does about it, and what it does not:

- **Units, not shards, are the work.** A large shard is cut into units of at most `sink.rows_per_file` rows, inside row groups too, and
  few rows into up to 16 of them, so workers stay busy with few shards. Small shards are put together, 512 or so to a unit where there are
  many: a million of them are some two thousand units and output files, but each is still opened twice, for its footer and for its rows.
  The cure for a million shards is fewer, larger ones: 1e12 rows in 100,000 shards with `sink.rows_per_file=10_000_000` are 100,000
  units, and every figure of a unit each above is a tenth.
- **The graph does not grow.** It holds the place of the plan, and never the plan: see the columns above.
- **Rows never meet the launcher.** What passes from workers to publishing is one record per unit, with six numbers for each of the
  shards that are put together.
- **A failure costs units, not the run.** A done-record per unit lets a killed run of a million units resume with those that are missing;
  it plans again, and looks for each unit's record.
- **Several runs.** One run is one plan, one manifest and one publication. Partitions (a day, a region) with an output each are runs of
  their own: a hundred runs of 10,000 shards plan and publish independently, at a hundredth of the figures above, and are visible one
  by one instead of all at once.
- **Not done**: plan and manifest are each one JSON document, and one process publishes. Their long lists are written and read entry by
  entry, and compressed in memory; but each shard has an entry in both, whether or not it is put together with others. A run that must be
  a million shards and become visible in one move pays the figures above."""
