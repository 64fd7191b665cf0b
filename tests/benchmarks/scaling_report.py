"""Figures of the scaling benchmark as a page of tables and as a plot; nothing is measured here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.scaling_limits import limits, per_row_microseconds, per_shard

Figures = dict[str, Any]
_SHARD_RUNS = {
    "plan": "dry run",
    "score": "whole run",
    "resume": "resume",
    "nothing": "nothing to do",
}
_GROWING = ("plan", "score", "resume")
_SHARDS_TEXT = (
    "Shards of {rows} rows. Up to 64 are a unit of work each; more are put together, some hundred to a unit where there are many: "
    "a unit has one output file, one done-record and one entry in the books. `dry run` is all of planning; `resume` finds every unit "
    "done by a run that was killed before it published, and publishes (attempts and done-records are the project's own writer's, of "
    "scores that were made up); `nothing to do` finds the run published."
)
_UNITS_TEXT = (
    "The same shards with `sink.rows_per_file={rows}`, which each of them fills: so none is put together with another, as none of 1 MiB "
    "or more is, and what a unit costs is seen."
)


def page(figures: Figures, plot: str) -> str:
    """docs/scaling.md: the tables of what was measured, and what follows from them for a far larger run."""
    sections = [
        "# How cost grows",
        f"Written by `{_name_command(figures)}` on {figures['machine']}. Every figure is of a whole program in a process of its "
        "own, with start-up; where runs were repeated, `median (least..greatest)`. MB are 10^6 bytes.",
        f"![cost against rows, shards and workers]({plot})",
    ]
    for part, section in (
        ("rows", _rows),
        ("shards", _shards),
        ("units", _units),
        ("workers", _workers),
        ("requests", _requests),
    ):
        if part in figures:
            sections += section(figures[part])
    # The first size is the fixed cost.
    grown = [
        len(figures.get(part, {}).get("sizes", ())) > 1 for part in ("rows", "shards", "units")
    ]
    if all(grown):
        sections += limits(figures)
    return "\n\n".join(sections) + "\n"


def _name_command(figures: Figures) -> str:
    """Return a command that measures the same; parts that were measured apart may have flags of their own."""
    parts = [figures[name] for name in figures if name != "machine"]
    flags = dict.fromkeys(flag for part in parts for flag in part["flags"])
    return " ".join(["python -m tests.benchmarks.scaling", *flags])


def _rows(figures: Figures) -> Iterator[str]:
    nothing, *sizes = figures["sizes"]
    yield "## Rows"
    yield (
        "Parquet shards of 8 float32 columns and an int64 id, a network 8-64-1, one score column. Microseconds of workers per row "
        "are from their first row to their last, as the manifest says; the others are beyond the start-up, which with no rows at all takes "
        f"{_cell(nothing['seconds'])} s and {_cell(nothing['peak_mb'])} MB."
    )
    heads = [
        "rows",
        "shards",
        "seconds",
        "rows/s",
        "workers' µs per row",
        "µs per row",
        "CPU µs per row",
        "peak MB",
    ]
    yield _table(
        heads,
        [
            [
                f"{s['rows']:,}",
                f"{s['shards']:,}",
                _cell(s["seconds"]),
                f"{s['rows'] / s['seconds'][0]:,.0f}",
                _cell(_worker_microseconds(s)) if "worker_rate" in s else "-",
                _beyond(per_row_microseconds(s, nothing, "seconds")),
                _beyond(per_row_microseconds(s, nothing, "cpu_seconds")),
                _cell(s["peak_mb"]),
            ]
            for s in sizes
        ],
    )


def _worker_microseconds(size: Figures) -> list[float]:
    middle, least, greatest = size["worker_rate"]
    return [1e6 / middle, 1e6 / greatest, 1e6 / least]


def _shards(figures: Figures) -> Iterator[str]:
    yield "## Shards"
    yield _SHARDS_TEXT.format(rows=figures["rows_per_shard"])
    yield from _growth(figures)


def _units(figures: Figures) -> Iterator[str]:
    yield "## Units of work"
    yield _UNITS_TEXT.format(rows=figures["rows_per_shard"])
    yield from _growth(figures)


def _growth(figures: Figures) -> Iterator[str]:
    """The tables of shards, however many of them a unit has."""
    one, *sizes = figures["sizes"]
    runs = {name: title for name, title in _SHARD_RUNS.items() if name in one}
    rows = [
        [
            f"{s['shards']:,}",
            f"{s['units']:,}",
            *(_cell(s[n]["seconds"]) if n in s else "-" for n in runs),
        ]
        for s in (one, *sizes)
    ]
    yield _table(["shards", "units", *(f"{title}, s" for title in runs.values())], rows)
    yield "Beyond one shard, milliseconds per shard (of few shards, what two starts happened to differ by):"
    heads = [
        "shards",
        "plan",
        "score",
        "skip and choose",
        "move, manifest",
        "clean up",
        "CPU of dry run",
        "CPU of resume",
    ]
    yield _table(heads, [[f"{s['shards']:,}", *_milliseconds(s, one)] for s in sizes])
    yield "Memory of the launcher, which with the DirectRunner is also the only worker, and sizes of what is stored:"
    heads = [
        "shards",
        *(f"{title}, peak MB" for title in runs.values()),
        *(f"{_SHARD_RUNS[n]}, MB per 10 000" for n in _GROWING),
    ]
    yield _table(
        [*heads, "plan.json, bytes per shard", "_manifest.json, bytes per shard", "graph, bytes"],
        [[f"{s['shards']:,}", *_memory(s, one, runs)] for s in sizes],
    )


def _milliseconds(s: Figures, one: Figures) -> Iterator[str]:
    costs = per_shard(s, one)
    for name in ("plan", "score", "choose", "move", "clean", "plan_cpu", "resume_cpu"):
        yield "-" if name not in costs else _beyond(costs[name] * 1e3)


def _memory(s: Figures, one: Figures, runs: dict[str, str]) -> Iterator[str]:
    costs = per_shard(s, one)
    yield from (_cell(s[name]["peak_mb"]) if name in s else "-" for name in runs)
    yield from (_beyond(costs[f"{name}_bytes"] / 100) if name in s else "-" for name in _GROWING)
    yield from (f"{s[name] / s['shards']:,.0f}" for name in ("plan_bytes", "manifest_bytes"))
    yield f"{s['graph_bytes']:,}"


def _workers(figures: Figures) -> Iterator[str]:
    yield "## Workers"
    yield (
        f"{figures['rows']:,} rows in {figures['shards']} shards with the DirectRunner; more workers than cores cannot be faster. "
        "Peak memory is of all processes together."
    )
    rows = [
        [
            r["mode"],
            str(r["workers"]),
            _cell(r["seconds"]),
            f"{figures['rows'] / r['seconds'][0]:,.0f}",
            _cell(r["peak_mb"]),
        ]
        for r in figures["runs"]
    ]
    yield _table(["mode", "workers", "seconds", "rows/s", "peak MB"], rows)


def _requests(figures: Figures) -> Iterator[str]:
    yield "## Requests to an object store"
    yield (
        "Counted at an S3 server on this machine, with shards of 20 rows. A whole run sends those of its shards and those of its units, "
        "each of which has one shard or some hundred; what grows with neither is left out. A shard of more than 1 MiB is asked for more "
        "often ([object_stores.md](object_stores.md))."
    )
    causes = {
        "plan": "dry run, a shard",
        "run": "whole run, a shard",
        "unit": "whole run, a unit",
    }
    keys = sorted({key for cause in causes for key in figures[cause]})
    rows = [[key, *(f"{figures[cause].get(key, 0):g}" for cause in causes)] for key in keys]
    totals = [f"{sum(figures[cause].values()):g}" for cause in causes]
    yield _table(["request", *causes.values()], [*rows, ["sum", *totals]])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _beyond(cost: float) -> str:
    """What something costs beyond the fixed cost, if that could be seen."""
    return f"{cost:.3f}" if cost > 0 else "within noise"


def _cell(spread: Sequence[float]) -> str:
    digits = 0 if spread[0] >= 100 else 1 if spread[0] >= 1 else 3
    middle, low, high = (f"{v:,.{digits}f}" for v in spread)
    return middle if low == middle == high else f"{middle} ({low}..{high})"


def draw(figures: Figures, path: Path) -> None:
    """One panel for each part that was measured; the same figures give the same file."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "scaling"
    drawable = [
        part for part in _PANELS if part in figures and len(figures[part].get("sizes", (0, 0))) > 1
    ]  # one is a baseline
    panels = [(panel, figures[part]) for part in drawable for panel in _PANELS[part]]
    figure, axes = pyplot.subplots(
        1, max(1, len(panels)), figsize=(4.2 * max(1, len(panels)), 3.6), squeeze=False
    )
    for ax, (panel, measured) in zip(axes[0], panels, strict=False):
        panel(ax, measured)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _draw_rows(ax: Any, figures: Figures) -> None:
    rows = [s["rows"] for s in figures["sizes"][1:]]
    for name, label in (("seconds", "elapsed"), ("cpu_seconds", "CPU")):
        costs = [per_row_microseconds(s, figures["sizes"][0], name) for s in figures["sizes"][1:]]
        ax.plot(rows, costs, "o-", label=label)
    found = [s for s in figures["sizes"][1:] if "worker_rate" in s]
    ax.plot(
        [s["rows"] for s in found],
        [_worker_microseconds(s)[0] for s in found],
        "o-",
        label="workers",
    )
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="rows",
        ylabel="µs per row beyond start-up",
        title="Cost of a row",
    )
    ax.legend(frameon=False)


def _draw_shards(ax: Any, figures: Figures) -> None:
    for name, label in _SHARD_RUNS.items():
        found = [s for s in figures["sizes"][1:] if name in s]
        ax.plot(
            [s["shards"] for s in found], [s[name]["seconds"][0] for s in found], "o-", label=label
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="shards",
        ylabel="seconds, whole program",
        title="Shards: time",
    )
    ax.legend(frameon=False)


def _draw_memory(ax: Any, figures: Figures) -> None:
    for name, label in _SHARD_RUNS.items():
        found = [s for s in figures["sizes"][1:] if name in s]
        ax.plot(
            [s["shards"] for s in found], [s[name]["peak_mb"][0] for s in found], "o-", label=label
        )
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="shards",
        ylabel="peak MB",
        title="Shards: memory of the launcher",
    )


def _draw_workers(ax: Any, figures: Figures) -> None:
    for mode in dict.fromkeys(r["mode"] for r in figures["runs"]):
        runs = [r for r in figures["runs"] if r["mode"] == mode]
        ax.plot(
            [r["workers"] for r in runs],
            [figures["rows"] / r["seconds"][0] / 1e6 for r in runs],
            "o-",
            label=mode,
        )
    counts = sorted({r["workers"] for r in figures["runs"]})
    ax.set(
        xticks=counts,
        ylim=(0, None),
        xlabel="workers",
        ylabel="million rows/s, whole program",
        title="Workers",
    )
    ax.legend(frameon=False)


_PANELS = {
    "rows": (_draw_rows,),
    "shards": (_draw_shards, _draw_memory),
    "workers": (_draw_workers,),
}
