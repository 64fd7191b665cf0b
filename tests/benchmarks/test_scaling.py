"""The scaling command measures every part through the real program, and writes its page, plot and numbers; speed is not tested."""

from collections.abc import Iterator
from importlib.util import find_spec
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

from tests.benchmarks.scaling import machine, main
from tests.benchmarks.scaling_limits import per_row_microseconds, per_shard
from tests.support.long import long

_TINY = [
    "--rows",
    "1e3",
    "--shards",
    "3",
    "--workers",
    "1",
    "--worker_rows",
    "2000",
    "--request_shards",
    "2",
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
    parts = ["rows", "shards", "workers"]
    done = _command(tmp_path, "--parts", *parts)

    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [s["rows"] for s in figures["rows"]["sizes"]] == [0, 1000]
    one, three = figures["shards"]["sizes"]
    assert (one["shards"], three["shards"]) == (1, 3)
    assert {"plan", "score", "resume", "nothing"} <= three.keys()
    assert all(
        three[f"{name}_bytes"] > one[f"{name}_bytes"] > 0 for name in ("plan", "done", "manifest")
    )
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
        )  # three files may be moved between two looks
    page = (tmp_path / "docs/scaling.md").read_text()
    assert all(
        f"## {title}" in page for title in ("Rows", "Shards", "Workers", "What breaks first")
    )
    assert "](scaling.svg)" in page
    assert (tmp_path / "docs/scaling.svg").read_text().count("<svg") == 1
    assert not list((tmp_path / "made").iterdir()), "inputs are left behind"


@long
@pytest.mark.skipif(
    find_spec("moto") is None or find_spec("s3fs") is None,
    reason="needs an S3 server and its client",
)
def test_a_later_call_adds_what_requests_a_shard_costs(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text(
        json.dumps({"machine": machine(), "rows": {"sizes": _SIZES}})
    )
    done = _command(tmp_path, "--parts", "requests")

    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures.keys() == {"machine", "rows", "requests"}
    assert figures["rows"]["sizes"] == _SIZES
    assert figures["requests"]["run"]["published file: PUT"] == 1
    assert figures["requests"]["run"]["done-record: PUT"] == 1
    assert figures["requests"]["plan"]["input: GET"] >= 1


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
