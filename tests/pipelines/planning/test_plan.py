"""What a plan says of its rows, its batches and its time, and in which order things are named."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from configs.load import load
from model_zoo.engines.settings import Settings
from pipelines.planning.identity import make_run_id
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import _count_rows_per_batch, make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan, _freeze_reference
from storage import files
from storage.run_folder import RunFolder
from tests.pipelines.planning.cards import make_card_of
from tests.support.builders import tiny_package
from tests.support.jobs import small_table, write_job, write_parquet
from transforms.formats.filtered import FilteredFormat
from transforms.formats.loading import LoadingFormat
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    decode_reference,
    make_empty_profile,
)


@pytest.mark.parametrize(
    ("shape", "batch_rows", "rows"),
    [
        ((96,), 1, 65_536),  # 24 MiB of rows of 384 bytes
        ((1,), 1, 131_072),  # never more
        ((97,), 1, 64_860),
        ((1024,), 1, 6144),
        ((1024,), 1000, 6000),  # in whole mini-batches
        ((6 << 20,), 1, 1),
        ((7 << 20,), 1, 1),  # a row is more than 24 MiB
        ((1 << 20,), 100, 100),  # a mini-batch is
        # Pictures, which are no table: 64 MiB.
        ((1, 32, 32), 1, 16_384),
        ((1, 1 << 12, 1 << 12), 1, 1),
    ],
)
def test_rows_that_travel_together_make_24_mib_of_a_table_or_64_in_whole_mini_batches(
    shape: tuple[int, ...], batch_rows: int, rows: int
) -> None:
    inference = InferenceSettings(Settings(batch_rows))
    assert _count_rows_per_batch(make_card_of(*shape), inference) == rows


def test_tokens_that_are_sorted_by_length_are_no_table() -> None:
    card = make_card_of(1024).model_copy(update={"mask": "x"})
    assert _count_rows_per_batch(card, InferenceSettings(Settings(1))) == 16_384


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job of two shards, of 3 and of 4 rows, and the same shards as CSV."""
    folder = tmp_path_factory.mktemp("plan")
    for number, rows in enumerate((3, 4)):
        table = small_table(rows, 3 * number)
        write_parquet(folder / f"shards/{number}.parquet", table)
        (folder / "csv").mkdir(exist_ok=True)
        pacsv.write_csv(table, folder / f"csv/{number}.csv")
    write_job(folder, tiny_package(folder / "model"))
    return folder


def plan_of(folder: Path, *overrides: tuple[str, str], planned_at: datetime | None = None) -> Plan:
    job = load(ScoringJob, str(folder / "job.yaml"), overrides)
    return make_plan(job, planned_at)


def test_a_plan_knows_its_rows_where_the_files_tell_them(folder: Path) -> None:
    assert plan_of(folder).rows == 7
    csv = [("source.paths", str(folder / "csv")), ("source.format", "csv")]
    assert plan_of(folder, *csv, ("source.types.id", "int64")).rows is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.device", "auto"),  # which may be a GPU
        ("model.modules", "[mine]"),
        ("preprocess.modules", "[mine]"),
        ("monitor.modules", "[mine]"),
    ],
)
def test_of_torch_little_is_needed_for_one_of_our_networks_as_it_is_written(
    field: str, value: str, folder: Path
) -> None:
    plan = plan_of(folder)
    assert plan.calls_our_network_alone
    assert not plan_of(folder, (field, value)).calls_our_network_alone

    def changed(**settings: object) -> Plan:
        return replace(plan, inference=InferenceSettings(Settings(16, **settings)))

    assert changed().calls_our_network_alone
    assert not changed(compiled=True).calls_our_network_alone
    assert not changed(dtype="bfloat16").calls_our_network_alone
    assert not changed(engine="onnxruntime").calls_our_network_alone


@pytest.mark.parametrize("builder", ["", "torchvision:resnet18", "churn_net:ChurnNet"])
def test_networks_that_are_not_ours_may_need_all_of_torch(builder: str, folder: Path) -> None:
    plan = plan_of(folder)
    card = plan.package.card.model_copy(update={"builder": builder})
    package = replace(plan.package, card=card)
    assert not replace(plan, package=package).calls_our_network_alone


def test_a_plan_has_the_time_that_it_is_given_or_that_of_its_beginning(folder: Path) -> None:
    given = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    assert plan_of(folder, planned_at=given).planned_at == given
    began = datetime.now(UTC)
    plan = plan_of(folder)
    assert began <= plan.planned_at <= datetime.now(UTC)


def test_the_job_s_own_rows_that_travel_together_go_before_the_default(folder: Path) -> None:
    assert plan_of(folder, ("source.rows_per_batch", "7")).rows_per_batch == 7
    whole = 131_072 // plan_of(folder).inference.settings.batch_rows
    assert plan_of(folder).rows_per_batch == whole * plan_of(folder).inference.settings.batch_rows


def test_the_head_of_a_manifest_says_what_computes(folder: Path) -> None:
    given = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    head = manifest_head(plan_of(folder, planned_at=given))
    assert (head["format"], head["planned_at"]) == (1, "2026-01-02T03:04:05.678901+00:00")
    assert (head["model"]["name"], head["model"]["labels"]) == ("tiny", ["no", "yes"])
    assert head["agreement"] is None
    assert head["libraries"]["numpy"] == np.__version__
    assert head["libraries"]["pyarrow"] == pa.__version__


def test_a_run_s_id_has_16_digits_whatever_the_order_of_a_job_s_keys() -> None:
    forward = {"source": {"types": {"a": "int64", "b": "string"}}, "sink": {"format": "csv"}}
    backward = {"sink": {"format": "csv"}, "source": {"types": {"b": "string", "a": "int64"}}}
    ids = [make_run_id(job, "d", {"dtype": "float32"}, ()) for job in (forward, backward)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 16
    assert ids[0] != make_run_id(forward, "d", {"dtype": "bfloat16"}, ())
    assert ids[0] != make_run_id(forward, "d", {"dtype": "float32"}, (), ("logits",))


def test_rows_are_left_out_before_the_files_that_they_name_are_read(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(b"content")
    table = small_table(2).append_column("path", pa.array(["a", "b"]))
    write_parquet(tmp_path / "shards/0.parquet", table)
    write_job(tmp_path, tiny_package(tmp_path / "model"))
    step = f"[{{step: load_file, column: path, root: {root}, into: content}}]"
    plan = plan_of(tmp_path, ("preprocess.steps", step), ("source.where", "id > 0"))
    assert isinstance(plan.format, LoadingFormat)
    assert isinstance(plan.format.inner, FilteredFormat)
    # What a row names that does not pass is not even looked at.
    assert plan.files.count == 1


def test_what_a_run_is_compared_with_stays_unless_another_is_asked_for(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path), "run1")
    files.make_folder(run.temporary)
    empty = make_empty_profile()
    first, second, other = (
        ComparedReference(ReferenceHead(asked, "previous", says), empty)
        for asked, says in (("previous", "run a"), ("previous", "run b"), ("last 2", "run c"))
    )

    def read() -> str:
        return decode_reference(files.read(run.reference) or b"").head.says

    for reference, standing in ((first, "run a"), (second, "run a"), (other, "run c")):
        _freeze_reference(run, reference)
        assert read() == standing
    # As a crash of the machine leaves it.
    Path(run.reference).write_bytes(b"")
    _freeze_reference(run, second)
    assert read() == "run b"
