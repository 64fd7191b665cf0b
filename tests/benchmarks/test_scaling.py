"""The scaling command measures every part through the real program, and writes its page, plot and numbers; speed is not tested."""

from collections.abc import Iterator
from importlib.util import find_spec
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

from pipelines.planning.manifest_head import manifest_head
from tests.benchmarks.scaling import machine, main
from tests.benchmarks.scaling_data import (
    TINY_ROWS,
    leave_scored,
    make_package,
    make_tiny_shards,
    plan_job,
)
from tests.benchmarks.scaling_limits import per_row_microseconds, per_shard
from tests.benchmarks.scaling_report import page
from tests.benchmarks.scaling_run import write_job
from tests.support.long import long
from transforms.publish import publish_run

_TINY = [
    "--rows",
    "1e3",
    "--shards",
    "70",
    "--units",
    "3",
    "--workers",
    "1",
    "--worker_rows",
    "2000",
    "--request_shards",
    "70",
]

_SIZES = [
    {
        "rows": rows,
        "shards": 1,
        "seconds": [5.0] * 3,
        "cpu_seconds": [5.0] * 3,
        "peak_mb": [800.0] * 3,
    }
    for rows in (0, 1000)
]


def _spreads(figures: Any) -> Iterator[tuple[str, list[float]]]:
    """Every `[median, least, greatest]` with its name."""
    items = (
        figures.items()
        if isinstance(figures, dict)
        else enumerate(figures)
        if isinstance(figures, list)
        else ()
    )
    for name, value in items:
        if isinstance(value, list) and value and isinstance(value[0], float):
            yield str(name), value
        yield from _spreads(value)


def _arguments(folder: Path, *arguments: str) -> list[str]:
    places = ["--folder", str(folder / "made"), "--json", str(folder / "figures.json")]
    written = [
        "--table",
        str(folder / "docs/scaling.md"),
        "--plot",
        str(folder / "docs/scaling.svg"),
    ]
    return [*_TINY, "--repeats", "1", *places, *written, *arguments]


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.scaling", *_arguments(folder, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@long
def test_command_measures_and_writes(tmp_path: Path) -> None:
    parts = ["rows", "shards", "units", "workers"]
    done = _command(tmp_path, "--parts", *parts)

    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [s["rows"] for s in figures["rows"]["sizes"]] == [0, 1000]
    for part, shards in (("shards", 70), ("units", 3)):
        one, many = figures[part]["sizes"]
        assert (one["shards"], many["shards"]) == (1, shards)
        assert {"plan", "score", "resume", "nothing"} <= many.keys()
        for name in ("plan", "done", "manifest"):
            assert many[f"{name}_bytes"] > one[f"{name}_bytes"] > 0
    assert 1 < figures["shards"]["sizes"][1]["units"] < 70
    assert figures["units"]["sizes"][1]["units"] == 3
    assert {(r["mode"], r["workers"]) for r in figures["workers"]["runs"]} == {
        ("multi_threading", 1),
        ("multi_processing", 1),
    }
    spreads = list(_spreads(figures))
    assert {name for name, _ in spreads} >= {
        "seconds",
        "cpu_seconds",
        "peak_mb",
        "chosen_seconds",
        "moved_seconds",
    }
    for name, (middle, least, greatest) in spreads:
        assert 0 <= least <= middle <= greatest, name
        assert least > 0 or name == "moved_seconds", (
            name
        )  # few files may be moved between two looks
    page = (tmp_path / "docs/scaling.md").read_text()
    assert all(
        f"## {title}" in page
        for title in ("Rows", "Shards", "Units of work", "Workers", "What breaks first")
    )
    assert "scaling --rows 1000 --repeats 1 --shards 70 --scored_shards 100000 --units 3" in page
    assert "](scaling.svg)" in page
    assert (tmp_path / "docs/scaling.svg").read_text().count("<svg") == 1
    assert not list((tmp_path / "made").iterdir()), "inputs are left behind"


@long
@pytest.mark.skipif(
    find_spec("moto") is None or find_spec("s3fs") is None,
    reason="needs an S3 server and its client",
)
def test_a_later_call_adds_what_requests_shards_and_units_cost(tmp_path: Path) -> None:
    before = {"machine": machine(), "rows": {"flags": ["--rows 1000"], "sizes": _SIZES}}
    (tmp_path / "figures.json").write_text(json.dumps(before))
    done = _command(tmp_path, "--parts", "requests")

    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures.keys() == {"machine", "rows", "requests"}
    assert figures["rows"]["sizes"] == _SIZES
    # A footer, and all of it: whatever else is asked for is asked for the unit.
    assert figures["requests"]["plan"]["input: GET"] == 1
    assert figures["requests"]["run"]["input: GET"] == 2
    assert figures["requests"]["unit"]["published file: PUT"] == 1
    assert figures["requests"]["unit"]["done-record: PUT"] == 1
    assert "input: GET" not in figures["requests"]["unit"]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="GB are free"):
        main(_arguments(tmp_path, "--parts", "rows", "--rows", "1e18"))
    assert not list((tmp_path / "made").iterdir())


def test_costs_are_those_beyond_the_fixed_ones() -> None:
    nothing, size = {"seconds": [5.0, 5, 5]}, {"rows": 1_000_000, "seconds": [7.0, 7, 7]}
    assert per_row_microseconds(size, nothing, "seconds") == pytest.approx(2.0)

    def run(seconds: float, **more: float) -> dict[str, list[float]]:
        return {
            name: [v]
            for name, v in {
                "seconds": seconds,
                "cpu_seconds": seconds,
                "peak_mb": 100 * seconds,
                **more,
            }.items()
        }

    one = {
        "shards": 1,
        "plan": run(4),
        "resume": run(6, chosen_seconds=5, moved_seconds=0.5, cleaned_seconds=0.5),
    }
    many = {
        "shards": 101,
        "plan": run(5),
        "resume": run(12, chosen_seconds=8, moved_seconds=1.5, cleaned_seconds=2.5),
    }
    costs = per_shard(many, one)
    assert (costs["plan"], costs["choose"], costs["move"], costs["clean"]) == pytest.approx(
        (0.01, 0.02, 0.01, 0.02)
    )
    assert costs["resume_bytes"] == pytest.approx(6e6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows_per_file", "fewest_units", "most_units"), [(None, 2, 69), (TINY_ROWS, 70, 70)]
)
def test_what_is_left_as_scored_can_be_published(
    rows_per_file: int | None, fewest_units: int, most_units: int, tmp_path: Path
) -> None:
    shards = 70
    make_package(tmp_path / "package")
    make_tiny_shards(tmp_path / "in", shards)
    output = tmp_path / "scores"
    config = write_job(
        tmp_path / "job.yaml", tmp_path / "in", tmp_path / "package", output, rows_per_file
    )
    plan = plan_job(str(config))
    leave_scored(plan)
    published = publish_run(plan.run, [], manifest_head(plan), 0, 0)
    assert published.rows_scored == shards * TINY_ROWS
    (path,) = output.glob("runs/*/_manifest.json")
    books = json.loads(path.read_text())["units"]
    # Put together, where they do not fill a file each.
    assert fewest_units <= len(books) <= most_units


def _made_up_size(shards: int, units: int, each: float) -> dict[str, Any]:
    """Figures of some shards that take `each` seconds, and as many MB, of everything."""
    grown = 1 + each * shards
    run = {name: [grown] * 3 for name in ("seconds", "cpu_seconds", "peak_mb")}
    phases = {name: [grown] * 3 for name in ("chosen_seconds", "moved_seconds", "cleaned_seconds")}
    whole = {"plan": run, "score": run | phases, "resume": run | phases, "nothing": run}
    stored = {f"{name}_bytes": 100 * shards for name in ("plan", "done", "manifest")}
    return {"shards": shards, "units": units, "graph_bytes": 5000, **stored, **whole}


def test_page_tells_shards_that_are_put_together_from_those_that_are_units() -> None:
    figures = {
        "machine": "a machine",
        "rows": {"flags": ["--rows 1000"], "sizes": _SIZES},
        "shards": {
            "flags": ["--shards 1001"],
            "rows_per_shard": 20,
            "sizes": [_made_up_size(1, 1, 0.01), _made_up_size(1001, 10, 0.01)],
        },
        "units": {
            "flags": ["--units 101"],
            "rows_per_shard": 20,
            "sizes": [_made_up_size(1, 1, 0.1), _made_up_size(101, 101, 0.1)],
        },
        "requests": {
            "flags": ["--request_shards 70"],
            "plan": {"input: GET": 1},
            "run": {"input: GET": 2},
            "unit": {"published file: PUT": 1, "done-record: GET": 1, "attempt: PUT": 8},
        },
    }
    text = page(figures, "scaling.svg")
    assert "scaling --rows 1000 --shards 1001 --units 101 --request_shards 70` on a machine" in text
    # An hour of planning, at 10 ms a shard and at 100.
    planning = "| planning, local disk | 3,600 s | 10,000.0 s | 360,000 | 100,000.0 s | 36,000 |"
    assert planning in text
    # One read each, and a hundredth of the unit's requests, or all of them.
    assert "| units of work, put together | 1.08 |" in text
    assert "| publishing, put together | 0.02 |" in text
    assert "| units of work, a unit each | 9 |" in text
    assert "| publishing, a unit each | 2 |" in text
