"""Work that is done twice, and workers that wake up too late: what is published is published once and never changes."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
import threading
from typing import Any

import apache_beam as beam
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
import pytest

from configs.errors import SupersededError
from configs.load import load
from model_zoo.scoring.loading import load_model
from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.manifest_head import manifest_head
from pipelines.planning.plan import Plan, store_plan
from pipelines.planning.scoring import scoring_of
from pipelines.planning.workers import Workers
from pipelines.scoring.graph import build
from storage import files
from tests.faults.counts import full_or
from tests.faults.world import ROWS, SHARDS, check_every_row_once, read_link, read_output
from transforms import publish as publication
from transforms.batches import RowRecord, ScoredBatch, WrittenPart
from transforms.output import part_file
from transforms.output.done_record import finish_unit
from transforms.output.part_writer import PartWriter
from transforms.postprocess import postprocess_batch
from transforms.predict import predict_batch
from transforms.preprocess import preprocess_batch
from transforms.publish import publish_run
from transforms.read_unit import read_unit
from transforms.write import _WriteUnits

# Another setting is another run; the scores are the same.
NEWER = ("model.batch_rows", "16")


@pytest.fixture(scope="module")
def undisturbed(world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    assert score_here(world, output) == 0
    return files_of(output)


def score_here(world: Path, output: Path) -> int:
    return run_program(
        score.main, ["--quiet", "--config", str(world / "job.yaml"), "--output", str(output)]
    )


def files_of(output: Path) -> dict[str, bytes]:
    seen = read_output(output)
    assert seen is not None
    return seen.files


def plan_for(world: Path, output: Path, *settings: tuple[str, str]) -> Plan:
    plan = make_plan(
        load(ScoringJob, str(world / "job.yaml"), [("sink.path", str(output)), *settings])
    )
    store_plan(plan)
    return plan


@pytest.fixture(scope="module")
def scored(world: Path, tmp_path_factory: pytest.TempPathFactory) -> list[ScoredBatch]:
    """What a worker has in hand just before it writes, for every unit."""
    plan = plan_for(world, tmp_path_factory.mktemp("scored") / "scores")
    scorer = load_model(scoring_of(plan, Workers(1, 1)))
    card = plan.package.card
    batches = []
    for unit in plan.units:
        for raw in read_unit(unit, plan.schema, plan.format, plan.rows_per_batch, RowRecord("id")):
            features = preprocess_batch(raw, card.columns, plan.steps, card.inputs)
            prediction = predict_batch(scorer, features)
            batches.append(postprocess_batch(prediction, plan.written_columns))
    return batches


def attempt(plan: Plan, batch: ScoredBatch) -> WrittenPart:
    """One whole attempt at a unit, stored and not yet recorded."""
    writer = PartWriter(plan.run, batch.unit, batch.id.first_row, plan.output_plan.file_format)
    writer.write(batch)
    return writer.close(last=True)


def publish(plan: Plan, parts: Iterable[WrittenPart]) -> None:
    publish_run(plan.run, parts, manifest_head(plan), 5, 0.0)


def publish_whole(plan: Plan, scored: list[ScoredBatch]) -> None:
    """What the other worker does meanwhile: every unit, and the run is published."""
    publish(
        plan,
        [
            part
            for batch in scored
            for part in finish_unit(plan.run, batch.unit, attempt(plan, batch))
        ],
    )


def tree(output: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of the output, with the time of its last change."""
    return {
        str(p.relative_to(output)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in output.rglob("*")
        if p.is_file()
    }


@pytest.mark.slow
def test_a_unit_that_is_written_twice_is_published_once(
    world: Path, scored: list[ScoredBatch], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """Both attempts end before either is recorded, and both workers report; the order changes from one repetition to the next."""
    for repetition in range(full_or(10, 100)):
        output = tmp_path / str(repetition)
        plan = plan_for(world, output)
        attempts = [(batch, [attempt(plan, batch) for _ in range(2)]) for batch in scored]
        reported = [
            part
            for number, (batch, both) in enumerate(attempts)
            for part in (both if (number + repetition) % 2 else both[::-1])
            for part in finish_unit(plan.run, batch.unit, part)
        ]
        assert len(reported) == 2 * SHARDS
        publish(plan, reported)
        assert files_of(output) == undisturbed
        check_every_row_once(output, SHARDS * ROWS)
        assert list((output / "_tmp").iterdir()) == []


def late_attempt(plan: Plan, batch: ScoredBatch, stuck: str) -> Generator[None]:
    """An attempt at a unit, and the publication that follows, by a worker that is stuck for a while: the generator's one yield."""
    if stuck == "before it writes":
        yield
    writer = PartWriter(plan.run, batch.unit, batch.id.first_row, plan.output_plan.file_format)
    writer.write(batch)
    if stuck == "while it writes":
        yield
    part = writer.close(last=True)
    if stuck == "before it records":
        yield
    parts = finish_unit(plan.run, batch.unit, part)
    if stuck == "before it reports":
        yield
    publish(plan, parts)


STAGES = ("before it writes", "while it writes", "before it records", "before it reports")


def wake(late: Generator[None], ends_well: bool) -> None:
    """Let a stuck attempt go on: to its end, or, because its files are gone, to the error that nobody waits for any more."""
    with nullcontext() if ends_well else pytest.raises(FileNotFoundError):
        assert next(late, "finished") == "finished"


def begin_again(plan: Plan, batch: ScoredBatch) -> None:
    """Another launcher of the same work, that looked just before the run was published, has stored its plan, and a worker its attempt."""
    store_plan(plan)
    attempt(plan, batch)


@pytest.mark.parametrize("begun_again", [False, True], ids=["alone", "beside another launcher"])
@pytest.mark.parametrize("stuck", STAGES)
def test_an_attempt_that_ends_after_publication_changes_nothing(
    stuck: str,
    begun_again: bool,
    world: Path,
    scored: list[ScoredBatch],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
) -> None:
    """A worker is stuck at some stage while another does its work and publishes; where its folder is there again, it finishes."""
    for repetition in range(full_or(1, 25)):
        output = tmp_path / str(repetition)
        # Each stage with another shard.
        shard = repetition + STAGES.index(stuck)
        plan, batch = plan_for(world, output), scored[shard % SHARDS]
        late = late_attempt(plan, batch, stuck)
        next(late)
        publish_whole(plan, scored)
        published = tree(output)
        assert files.list_names(str(output / "_tmp")) == []
        if begun_again:
            begin_again(plan, scored[(shard + 1) % SHARDS])
        ends_well = begun_again or stuck == "before it reports"
        wake(late, ends_well)
        assert tree(output) == published
        assert files.list_names(str(output / "_tmp")) == []
        assert files_of(output) == undisturbed
        publish_whole(
            plan_for(world, output, NEWER), scored
        )  # the next run of the job finds nothing of it in its way


def check_that_readers_stay(
    world: Path, older: Plan, newer: Plan, published: dict[str, tuple[bytes, int]]
) -> None:
    """With the newer run, until somebody asks for the older one by its command."""
    output = Path(older.run.output)
    assert tree(output) == published
    assert files.list_names(str(output / "_tmp")) == []
    assert (output / "CURRENT").read_text().strip() == read_link(output) == newer.run.run_id
    assert score_here(world, output) == 0
    assert (output / "CURRENT").read_text().strip() == read_link(output) == older.run.run_id
    assert tree(output).keys() == published.keys()


@pytest.mark.parametrize("stuck", STAGES)
def test_an_attempt_that_ends_after_a_newer_run_leaves_readers_with_that(
    stuck: str, world: Path, scored: list[ScoredBatch], tmp_path: Path
) -> None:
    for repetition in range(full_or(1, 25)):
        output = tmp_path / str(repetition)
        older, newer = plan_for(world, output), plan_for(world, output, NEWER)
        batch = scored[(repetition + STAGES.index(stuck)) % SHARDS]
        late = late_attempt(older, batch, stuck)
        next(late)
        publish_whole(older, scored)
        publish_whole(newer, scored)
        published = tree(output)
        begin_again(older, batch)
        with pytest.raises(SupersededError, match=newer.run.run_id):
            next(late)
        check_that_readers_stay(world, older, newer, published)


def test_a_publication_that_ends_after_a_newer_run_leaves_readers_with_that(
    world: Path, scored: list[ScoredBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is stuck when all files have their names, and the manifest is not there yet."""
    create_manifest = publication._create_manifest
    for repetition in range(full_or(2, 25)):
        output = tmp_path / str(repetition)
        older, newer = plan_for(world, output), plan_for(world, output, NEWER)
        published = {}

        def overtaken(*arguments: Any) -> Any:
            monkeypatch.setattr(publication, "_create_manifest", create_manifest)
            publish_whole(older, scored)  # noqa: B023 - called in this repetition only
            publish_whole(newer, scored)  # noqa: B023
            published.update(tree(output))  # noqa: B023
            return create_manifest(*arguments)

        monkeypatch.setattr(publication, "_create_manifest", overtaken)
        with pytest.raises(SupersededError, match=newer.run.run_id):
            publish_whole(older, scored)
        assert published
        check_that_readers_stay(world, older, newer, published)


def test_bundles_that_fail_after_writing_are_written_again_and_published_once(
    world: Path, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beam's old local runner retries a bundle up to four times; here a worker is lost after it wrote one unit, and then another."""
    write, lost = _WriteUnits.process, set[int]()

    def process(self: _WriteUnits, batch: ScoredBatch) -> Iterator[WrittenPart]:
        yield from write(self, batch)
        if batch.unit.index in (1, SHARDS - 1) and batch.unit.index not in lost:
            lost.add(batch.unit.index)
            raise RuntimeError("the worker is lost after it wrote")

    monkeypatch.setattr(_WriteUnits, "process", process)
    for repetition in range(full_or(2, 100)):
        output = tmp_path / str(repetition)
        plan = plan_for(world, output)
        lost.clear()
        pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
        build(pipeline, plan, Workers(1, 1))
        pipeline.run().wait_until_finish()
        assert lost == {1, SHARDS - 1}
        assert files_of(output) == undisturbed
        assert files.list_names(str(output / "_tmp")) == []


def test_a_teardown_while_a_unit_ends_leaves_the_files_that_are_recorded(
    world: Path,
    scored: list[ScoredBatch],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a run that failed elsewhere, Beam tears down in a thread of its own what still works on a bundle; here it is slow at it."""
    output, batch = tmp_path / "scores", scored[0]
    plan = plan_for(world, output)
    writing = _WriteUnits(plan.run, plan.output_plan.file_format)
    writing.setup()
    writing.start_bundle()
    tearing_down, ended = threading.Thread(target=writing.teardown), threading.Event()
    count_rows, remove = part_file.count_rows, files.remove

    def count_and_tear_down(url: str, format: str) -> int:
        rows = count_rows(url, format)
        if "-001." in url:  # the unit's last file
            tearing_down.start()
            tearing_down.join(0.2)
        return rows

    def remove_slowly(url: str) -> None:
        remove(url)
        if threading.current_thread() is tearing_down:
            ended.wait(60)

    monkeypatch.setattr(part_file, "count_rows", count_and_tear_down)
    monkeypatch.setattr(files, "remove", remove_slowly)
    assert len(list(writing.process(batch))) == 1
    ended.set()
    tearing_down.join()
    monkeypatch.undo()
    assert score_here(world, output) == 0
    assert files_of(output) == undisturbed
