"""Work that is done twice, and workers that wake up too late: what is published is published once and never changes."""

from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
import pytest

from configs.job import Job
from configs.load import load
from pipelines import score
from pipelines.command_line import run_program
from pipelines.plan import Plan, make_plan, store_plan
from storage import files
from tests.faults.counts import full_or
from tests.faults.world import OTHER_SETTING, ROWS, SHARDS, check_every_row_once, read_output
from transforms.batches import PredictionBatch, ScoredBatch, WrittenPart
from transforms.postprocess import postprocess_batch
from transforms.predict import predict_batch
from transforms.preprocess import preprocess_batch
from transforms.publish import publish_run
from transforms.read import read_unit
from transforms.rejected import RowRecord
from transforms.write import PartWriter, _WriteUnits, finish_unit

REPETITIONS = full_or(10, 100)


@pytest.fixture(scope="module")
def undisturbed(world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed") / "scores"
    assert run_program(score.main, ["--quiet", "--config", str(world / "job.yaml"), "--output", str(output)]) == 0
    return files_of(output)


def files_of(output: Path) -> dict[str, bytes]:
    seen = read_output(output)
    assert seen is not None
    return seen.files


def plan_for(world: Path, output: Path) -> Plan:
    plan = make_plan(load(Job, str(world / "job.yaml"), [("sink.path", str(output))]))
    store_plan(plan)
    return plan


@pytest.fixture(scope="module")
def scored(world: Path, tmp_path_factory: pytest.TempPathFactory) -> list[ScoredBatch]:
    """What a worker has in hand just before it writes, for every unit."""
    plan = plan_for(world, tmp_path_factory.mktemp("scored") / "scores")
    scorer = score.scoring_of(plan, workers=1).load()
    batches = []
    for unit in plan.units:
        for raw in read_unit(unit, plan.schema, "parquet", plan.rows_per_batch, RowRecord("id"), plan.csv):
            kept, outputs = predict_batch(scorer, preprocess_batch(raw, plan.missing, plan.steps, plan.inputs))
            prediction = PredictionBatch(kept, outputs, scorer.placement)
            batches.append(postprocess_batch(prediction, ("id",), plan.scores, plan.keep, None))
    return batches


def attempt(plan: Plan, batch: ScoredBatch) -> WrittenPart:
    """One whole attempt at a unit, stored and not yet recorded."""
    writer = PartWriter(plan.run, batch.unit, batch.id.first_row, plan.file_format)
    writer.write(batch)
    return writer.close(last=True)


def publish(plan: Plan, parts: list[WrittenPart]) -> None:
    publish_run(plan.run, parts, score.manifest_head(plan), 5, 0.0)


def tree(output: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of the output, with the time of its last change."""
    return {str(p.relative_to(output)): (p.read_bytes(), p.stat().st_mtime_ns) for p in output.rglob("*") if p.is_file()}


def test_a_unit_that_is_written_twice_is_published_once(
    world: Path, scored: list[ScoredBatch], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """Both attempts end before either is recorded, and both workers report; the order changes from one repetition to the next."""
    for repetition in range(REPETITIONS):
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


def test_an_attempt_that_ends_after_publication_changes_nothing(
    world: Path, scored: list[ScoredBatch], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """A worker is stuck before it writes, before it records, or before it reports, while another does its work and the run is published."""
    output = tmp_path / "scores"
    for repetition in range(REPETITIONS):
        plan = plan_for(world, output)
        batch = scored[repetition % SHARDS]
        early = attempt(plan, batch) if repetition % 3 else None
        publish(plan, [part for b in scored for part in finish_unit(plan.run, b.unit, attempt(plan, b))])
        published = tree(output)
        try:
            late = early or attempt(plan, batch)
            parts = finish_unit(plan.run, batch.unit, late)
            publish(plan, list(parts))
        except files_gone():
            pass
        assert {name: kept for name, kept in tree(output).items() if not name.startswith("_tmp/")} == published
        assert files_of(output) == undisturbed
        # The next run of the job, of whatever work, finds nothing of it in its way.
    assert run_program(score.main, ["--quiet", "--config", str(world / "job.yaml"), "--output", str(output), *OTHER_SETTING]) == 0


def files_gone() -> tuple[type[Exception], ...]:
    """How a worker may end whose files were removed under it: its runner tells nobody who waits any more."""
    from configs.errors import PublishError

    return (OSError, PublishError)


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
        score.build(pipeline, plan, workers=1)
        pipeline.run().wait_until_finish()
        assert lost == {1, SHARDS - 1}
        assert files_of(output) == undisturbed
        assert files.names_in(str(output / "_tmp")) == []
