"""The same work has the same id; another input, model or setting is another run, and never passes for one that is published."""

from collections.abc import Callable
import hashlib
from importlib.util import find_spec
import json
from pathlib import Path
import shutil
from typing import Any

import pytest

from configs.job import Job
from configs.load import load
from pipelines.planning.identity import list_libraries, make_run_id, output_settings
from pipelines.planning.make_plan import make_plan
from storage.input_file import InputFile
from tests.faults.world import make_world, write_shard
from tests.support.builders import FEATURES, make_unit, tiny_network, tiny_package
from transforms.formats.format import Shard


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a job of two shards."""
    return make_world(tmp_path / "world", shards=2).parent


def run_id(world: Path, *overrides: tuple[str, str]) -> str:
    """Return the id of the run that the job stands for now."""
    job = load(Job, str(world / "job.yaml"), [("sink.path", str(world / "scores")), *overrides])
    return make_plan(job).run.run_id


def with_other_weights(world: Path) -> None:
    """Pack another network under the same name and version."""
    shutil.rmtree(world / "model")
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    tiny_package(world / "model", columns=columns, network=tiny_network(seed=4))


def with_another_row(world: Path) -> None:
    write_shard(world, 1, rows=41)


def with_another_shard(world: Path) -> None:
    write_shard(world, 2)


@pytest.mark.parametrize("change", [with_other_weights, with_another_row, with_another_shard])
def test_other_work_is_another_run(change: Callable[[Path], None], world: Path) -> None:
    before = run_id(world)
    assert run_id(world) == before
    change(world)
    assert run_id(world) != before


@pytest.mark.parametrize(
    ("key", "value", "is_another_run"),
    [
        ("postprocess.threshold", "0.4", True),
        ("model.not_finite", "pass", True),
        ("model.dtype", "bfloat16", True),
        ("model.batch_rows", "16", True),
        ("sink.rows_per_file", "31", True),
        ("errors.store_values", "true", True),
        ("name", "another", False),
        ("errors.max_rejected_rows", "6", False),
        ("model.timeout_seconds", "5", False),
        ("source.max_expansion", "7", False),
        ("source.recursive", "true", False),
        ("source.where", "id > 1", True),
        ("source.where", "null", False),
    ],
)
def test_what_changes_the_output_is_another_run(
    key: str, value: str, is_another_run: bool, world: Path
) -> None:
    assert (run_id(world, (key, value)) != run_id(world)) == is_another_run


def test_the_order_in_which_inputs_are_named_changes_nothing(world: Path) -> None:
    paths = [str(world / f"shards/part-0000{number}.parquet") for number in (0, 1)]
    forward, backward = (
        run_id(world, ("source.paths", f"[{', '.join(order)}]")) for order in (paths, paths[::-1])
    )
    assert forward == backward


# What `source.csv` was when jobs knew no dialect; runs of then are still found.
OLD_CSV = {
    "delimiter": ",",
    "encoding": "utf-8",
    "null_values": [""],
    "newlines_in_values": True,
}


def test_fields_that_came_later_change_no_id_while_they_say_nothing_new(world: Path) -> None:
    def settings_of(*overrides: tuple[str, str]) -> dict[str, Any]:
        job = load(Job, str(world / "job.yaml"), overrides)
        csv: dict[str, Any] = output_settings(job.model_dump(mode="json"))["source"]["csv"]
        return csv

    assert settings_of() == OLD_CSV
    assert settings_of(("source.csv.quote", "'\"'")) == OLD_CSV
    assert settings_of(("source.csv.escape", "\\")) == {**OLD_CSV, "escape": "\\"}
    assert settings_of(("source.csv.quote", "null")) == {**OLD_CSV, "quote": None}
    assert settings_of(("source.csv.double_quote", "false")) == {**OLD_CSV, "double_quote": False}
    assert settings_of(("source.csv.decimal", "'.'")) == OLD_CSV
    assert settings_of(("source.csv.decimal", "','")) == {**OLD_CSV, "decimal": ","}
    assert run_id(world, ("source.csv.escape", "\\")) != run_id(world)


def test_folders_that_are_not_declared_change_no_id(world: Path) -> None:
    def settings_of(*overrides: tuple[str, str]) -> Any:
        job = load(Job, str(world / "job.yaml"), overrides)
        return output_settings(job.model_dump(mode="json"))["source"]

    assert {"partitions", "where"}.isdisjoint(settings_of())
    sink = output_settings(load(Job, str(world / "job.yaml"), []).model_dump(mode="json"))["sink"]
    assert "partition_by" not in sink
    assert settings_of(("source.partitions", "hive"))["partitions"] == "hive"


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs transformers")
def test_a_network_of_a_library_names_its_version_too() -> None:
    ours = list_libraries("mlp")
    assert {"python", "torch", "pyarrow"} <= set(ours)
    theirs = list_libraries("transformers:BertModel")
    assert set(theirs) - set(ours) == {"transformers"}


@pytest.mark.parametrize("count", [0, 1, 700])
@pytest.mark.parametrize("nested", [(), ("a",)])
def test_an_id_is_the_digest_of_all_that_decides_as_one_text(
    count: int, nested: tuple[str, ...]
) -> None:
    shards = [Shard(InputFile(f"in/{n} é.parquet", n, f"v{n}"), 7) for n in range(count)]
    job = {
        "name": "n",
        "source": {"paths": "x", "key": "id"},
        "sink": {"path": "y", "b": 1, "a": 2},
    }
    units = [make_unit(0, files="d0"), make_unit(1)]
    work = {
        "computing": {"z": 1, "b": None},
        "files": ["d0"],
        "inputs": [[f"in/{n} é.parquet", f"v{n}"] for n in range(count)],
        "model": "m",
        "settings": {"source": {"key": "id"}, "sink": {"a": 2, "b": 1}},
        **({"nested": ["a"]} if nested else {}),
        "table": {"version": 3},
    }
    text = json.dumps(work, sort_keys=True)
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    computing = {"z": 1, "b": None}
    actual = make_run_id(job, "m", computing, shards, nested, units, table={"version": 3})
    assert actual == expected
