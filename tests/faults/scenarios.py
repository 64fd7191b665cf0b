"""Ways through the code that, together, come by every step. Each begins with an output where a run is published."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
import json
import os
from pathlib import Path
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.counts import full_or
from tests.faults.injector import Request
from tests.faults.server import Server
from tests.faults.world import OTHER_SETTING, ROWS, read_output, write_shard
from tests.support.broken_files import write_cut, write_spoilt
from tests.support.builders import FEATURES

# Steps with another proof, a test that comes by them. Those of a real object store, where requests are killed, broken and delayed; those of
# training, which is killed at each point of its loop and resumed (model_zoo/training/test_resuming.py, pipelines/test_train_resumed.py), and
# writes what lies beside its package anew; and copies of packages, which nobody trusts unread.
ELSEWHERE = {
    "pipelines.versions.names._replace:files.sync_folder": "pipelines/versions/test_names.py::test_a_name_points_to_what_it_was_given_last",
    "model_zoo.training.checkpoints.Checkpoints.write:files.make_folder": "model_zoo/training/test_checkpoints.py::test_removed_it_is_gone",
    "model_zoo.training.checkpoints.Checkpoints.write:files.replace": "model_zoo/training/test_checkpoints.py::test_removed_it_is_gone",
    "model_zoo.training.checkpoints.Checkpoints.remove:files.remove": "model_zoo/training/test_checkpoints.py::test_removed_it_is_gone",
    "pipelines.planning.plan._freeze_reference:files.replace": "pipelines/test_score_monitor.py::test_a_killed_run_goes_on_with_what_it_was_compared_with",
    "pipelines.prune._remove_held:files.remove": "pipelines/test_release.py::test_pruning_keeps_what_is_held_unless_it_is_asked",
    "pipelines.verifying.release_run._discard:files.remove": "pipelines/test_release.py::test_a_discarded_run_is_gone_and_scored_anew",
    "transforms.publish._create_held:files.create": "pipelines/test_score_monitor.py::test_a_night_that_is_far_away_is_held_back",
    "transforms.publish._create_held:files.sync_folder": "pipelines/test_score_monitor.py::test_a_night_that_is_far_away_is_held_back",
    "pipelines.training.report.write_report:files.put": "pipelines/test_train.py::test_overwriting_must_be_asked_for",
    "pipelines.reporting.write.write_report:files.replace": "pipelines/test_report.py::test_the_page_goes_where_it_is_asked_to",
    "pipelines.training.held_out.write_held_out:files.put": "pipelines/test_train.py::test_overwriting_must_be_asked_for",
    "pipelines.training.writing.write_test_rows:files.remove": "pipelines/test_train.py::test_overwriting_must_be_asked_for",
    "pipelines.training.writing.make_place:files.make_folder": "pipelines/test_train.py::test_overwriting_must_be_asked_for",
    "pipelines.training.writing.write_job:files.replace": "pipelines/test_train.py::test_overwriting_must_be_asked_for",
    "pipelines.packing.proof.proof._score:files.remove": "pipelines/test_package.py::test_a_network_that_looks_at_the_rows_beside_is_refused",
    "pipelines.packing.writing.starter_job._write_both:files.replace": "pipelines/test_package.py::test_from_a_network_to_its_scores",
    "pipelines.packing.writing.starter_job._write_both:files.remove": "pipelines/packing/writing/test_starter_job.py::test_a_package_that_cannot_be_written_leaves_no_job",
    "pipelines.tuning.report.refuse_unwritable:files.replace": "pipelines/tuning/test_report.py::test_a_place_where_nothing_can_be_written_is_refused",
    "pipelines.tuning.report.refuse_unwritable:files.remove": "pipelines/tuning/test_report.py::test_a_place_that_can_be_written_is_left_as_it_was",
    "pipelines.tuning.report.store_report:files.replace": "pipelines/test_tune.py::test_bad_usage_is_one_line",
    "pipelines.tuning.kept_graphs._keep_graph:files.replace": "pipelines/tuning/test_kept_graphs.py::test_graphs_lie_beside_the_report_by_their_digests",
    "model_zoo.engines.quantised_graph.keep_in_memory:files.replace": "model_zoo/engines/test_quantisation.py::test_a_graph_that_is_gone_or_another_or_no_data_is_refused",
    "model_zoo.engines.onnx_int8.quantise_graph:tempfile.TemporaryDirectory": "model_zoo/engines/test_onnx_int8.py::test_the_same_rows_give_the_same_bytes",
    "model_zoo.engines.onnx_int8._quantise:.write_bytes": "model_zoo/engines/test_onnx_int8.py::test_the_same_rows_give_the_same_bytes",
    "storage.disk._hide_folders:os.rename": "storage/test_removing.py::test_a_writer_that_keeps_pace_does_not_keep_its_folder",
    "storage.object_stores.discard:.discard": "object_stores/test_store_files.py::test_a_file_whose_writing_failed_is_not_stored",
    "storage.lock._wait_for_lock:disk.remove": "storage/test_current.py::test_a_holder_that_was_stopped_loses_the_lock_and_replaces_nothing",
    "storage.lock._claim_name:disk.remove": "storage/test_current.py::test_what_a_killed_holder_left_goes",
    "storage.files.replace:.pipe_file": "storage/test_files.py::test_replace_writes_whatever_is_there",
    "storage.files.link_or_copy:.cp_file": "storage/test_files.py::test_a_stored_file_gets_a_second_name",
    "storage.scratch.ScratchFile.append:tempfile.TemporaryFile": "storage/test_scratch.py::test_what_was_put_aside_is_read_again",
    "storage.scratch.ScratchFile.append:.write": "storage/test_scratch.py::test_what_was_put_aside_is_read_again",
    "storage.scratch.ScratchFile.close:.close": "storage/test_scratch.py::test_what_was_put_aside_is_read_again",
    "model_zoo.package.package.write_package:files.replace": "model_zoo/package/test_package.py::test_a_package_is_read_as_it_was_written",
    "model_zoo.package.package.write_package:files.put": "model_zoo/package/test_package.py::test_a_package_is_read_as_it_was_written",
    "model_zoo.package.cache.read_copy:os.utime": "model_zoo/package/test_cache.py::test_what_is_kept_is_found_by_its_digest",
    "model_zoo.package.cache.private_folder:.mkdir": "model_zoo/package/test_cache.py::test_what_is_kept_is_found_by_its_digest",
    "model_zoo.package.cache._write_copy:tempfile.mkstemp": "model_zoo/package/test_cache.py::test_what_is_kept_is_found_by_its_digest",
    "model_zoo.package.cache._write_copy:.replace": "model_zoo/package/test_cache.py::test_what_is_kept_is_found_by_its_digest",
    "model_zoo.package.cache._write_copy:.unlink": "model_zoo/package/test_cache.py::test_a_copy_that_cannot_be_stored_leaves_nothing",
    "pipelines.runners.beam_private._make_folder:tempfile.mkdtemp": "pipelines/runners/test_temporary_folders.py::test_a_run_leaves_nothing_in_the_temporary_folder",
    "pipelines.runners.beam_private._remove_own:shutil.rmtree": "pipelines/runners/test_temporary_folders.py::test_a_run_leaves_nothing_in_the_temporary_folder",
    "model_zoo.engines.torch_private._remove_unpacked:shutil.rmtree": "model_zoo/engines/test_compiled.py::test_scores_are_those_of_the_network",
    "model_zoo.engines.compiled._compile:tempfile.mkstemp": "model_zoo/engines/test_machine_code.py::test_it_is_made_once_for_one_network_shape_and_identity",
    "model_zoo.engines.compiled._compile:.replace": "model_zoo/engines/test_machine_code.py::test_it_is_made_once_for_one_network_shape_and_identity",
    "model_zoo.engines.compiled._compile:.write_text": "model_zoo/engines/test_machine_code.py::test_it_is_made_once_for_one_network_shape_and_identity",
    "model_zoo.engines.compiled._compile:.unlink": "model_zoo/engines/test_compiled.py::test_what_cannot_be_compiled_leaves_nothing",
    "model_zoo.package.cache._drop_oldest:.unlink": "model_zoo/package/test_cache.py::test_what_does_not_fit_goes",
    "model_zoo.package.cache.leave_mark:.touch": "model_zoo/engines/test_tried_graphs.py::test_what_has_passed_is_not_tried_again",
}
STORE = "memory://faults"
# A run that was killed long ago; its files go when the next run of its job is published, or are left for the one after that.
DEAD = "0123456789abcdef"


@dataclass(frozen=True)
class Scenario:
    """A program, and what stands when it starts.

    Attributes:
        prepare: from (folder of the scenario, server) to the output's first state, in `folder/before`.
        arguments: of the program, given its output.
        plant: a chain, and a folder of the scenario whose content comes into the output when that is reached first.
        store: the output is a store in memory, which ends with the process: no kills, and the program runs again in it.
        broken: something fails in any case: a chain, and the number of its hit.
        status: how the first run ends; unless that is 0, what counts is the one after it.
    """

    prepare: Callable[[Path, Server], None]
    arguments: Callable[[Path, Path], list[str]]
    program: str = "pipelines.score"
    plant: tuple[str, str] | None = None
    store: bool = False
    broken: tuple[str, int] | None = None
    status: int = 0


@dataclass(frozen=True)
class Stage:
    """A scenario set up: its folder, what an undisturbed run gives, and how often that comes by each chain of steps."""

    scenario: Scenario
    world: Path
    folder: Path
    server: Server
    chains: Counter[str] = field(default_factory=Counter)

    @property
    def shards(self) -> int:
        return len(list(self.world.glob("shards/*")))

    def run(self, output: Path, beam: bool = True, **fault: object) -> tuple[int, str]:
        """Exit status and log of the program, on an output."""
        shown = STORE if self.scenario.store else str(output)
        arguments = [
            shown if a == str(output) else a for a in self.scenario.arguments(self.world, output)
        ]
        request = Request(self.scenario.program, arguments, f"{output}.log", beam, **fault)  # type: ignore[arg-type]
        if fault:
            request = replace(request, broken=self.scenario.broken)
        if self.scenario.plant is not None:
            request = replace(
                request,
                plant=(
                    self.scenario.plant[0],
                    str(self.folder / self.scenario.plant[1]),
                    str(output),
                ),
            )
        if self.scenario.store:
            shutil.rmtree(output, ignore_errors=True)
            request = replace(request, again=True, kept=(STORE, str(output)))
        status = self.server.strike(request)
        return status, Path(request.log).read_text()

    def begin(self, name: str) -> Path:
        """A new output in the first state."""
        output = self.folder / name / "scores"
        shutil.copytree(self.folder / "before", output, symlinks=True)
        return output


def staged(name: str, world: Path, folder: Path, server: Server) -> Stage:
    """Set a scenario up and run it undisturbed, through Beam, into `folder/reference/scores`."""
    scenario = SCENARIOS[name]
    (folder / "before").mkdir(parents=True)
    (folder / "world").symlink_to(world)
    scenario.prepare(folder, server)
    stage = Stage(scenario, folder / "world", folder, server)
    output = stage.begin("reference")
    status, log = stage.run(output, record=str(folder / "chains"))
    assert status == scenario.status, log
    stage.chains.update((folder / "chains").read_text().splitlines())
    if status != 0:
        status, log = stage.run(output)
        assert status == 0, log
    return stage


def _publish(world: Path, output: Path, server: Server, *flags: str, chain: str = "") -> None:
    """Publish the job with another setting, or kill it at a chain."""
    through_beam, action = full_or(False, True), "kill" if chain else ""
    request = Request(
        "pipelines.score",
        _score(world, output, *flags),
        f"{output}.log",
        through_beam,
        chain,
        action=action,
    )
    assert server.strike(request) == (-9 if chain else 0), Path(request.log).read_text()


def _score(world: Path, output: Path, *flags: str) -> list[str]:
    return ["--config", str(world / "job.yaml"), "--output", str(output), "--quiet", *flags]


def _published(folder: Path, server: Server) -> None:
    """A run with another setting is published."""
    before, published = folder / "before", folder / "world/published"
    if not published.exists():
        _publish(folder / "world", published, server, *OTHER_SETTING)
    shutil.copytree(published, before, symlinks=True, dirs_exist_ok=True)


def _second_attempt(folder: Path, server: Server) -> None:
    """Another attempt at all units was stored and recorded meanwhile."""
    _published(folder, server)
    killed = _killed(folder, server)
    for name in ("attempts", "done"):
        shutil.copytree(killed / name, folder / f"meanwhile/_tmp/{killed.name}/{name}")


def _killed(folder: Path, server: Server) -> Path:
    """Temporary folder of a run, in an output of its own, that was killed when all its units were done."""
    other = folder / "world/killed"
    if not other.exists():
        _publish(
            folder / "world",
            other,
            server,
            chain="transforms.output.published_files.move_files:files.make_folder",
        )
    (killed,) = (other / "_tmp").iterdir()
    return killed


def _leftovers(folder: Path, server: Server) -> None:
    """A run of the job was killed, and another publication left files in this run's folder."""
    _published(folder, server)
    killed = _killed(folder, server)
    shutil.copytree(killed, folder / f"before/_tmp/{DEAD}")
    # The first as an earlier version would have left it.
    for place in ("", "scored/", "_rejected/"):
        name = f"{place}part-00009-0123456789ab.parquet"
        stray = folder / f"before/runs/{killed.name}/{name}"
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"stray")


def _lost_files(folder: Path, server: Server) -> None:
    """Somebody removed files of units that are done."""
    _published(folder, server)
    killed = _killed(folder, server)
    shutil.copytree(killed / "done", folder / f"before/_tmp/{killed.name}/done")


def _torn_records(folder: Path, server: Server) -> None:
    """A machine crashed and kept the names of done-records without their bytes; so did those of another launcher, meanwhile."""
    _published(folder, server)
    killed = _killed(folder, server)
    shutil.copytree(killed, folder / f"before/_tmp/{killed.name}")
    for record in (folder / f"before/_tmp/{killed.name}/done").iterdir():
        record.write_bytes(bytes(len(record.read_bytes())))
    # Of the unit that is written last, so that none is torn of which this run has seen that it is whole.
    units = json.loads((killed / "plan.json").read_text())["units"]
    last = max(range(len(units)), key=lambda number: (-units[number][3], number))
    record = f"_tmp/{killed.name}/done/{last:07d}.json"
    (folder / "meanwhile" / record).parent.mkdir(parents=True)
    shutil.copy(folder / "before" / record, folder / "meanwhile" / record)


def _corrected(folder: Path, server: Server) -> None:
    """A run with rejected rows is published, and their shard was corrected after that."""
    world = folder / "own"
    shutil.copytree(folder / "world/model", world / "model")
    shutil.copytree(folder / "world/shards", world / "shards")
    text = (folder / "world/job.yaml").read_text()
    (world / "job.yaml").write_text(text.replace(str((folder / "world").resolve()), str(world)))
    _publish(world, folder / "first", server)
    shutil.copytree(folder / "first", folder / "before", symlinks=True, dirs_exist_ok=True)
    write_shard(world, 2, ROWS)
    (folder / "world").unlink()
    (folder / "world").symlink_to(world)


def _named_files(folder: Path, server: Server) -> None:
    """Rows name files, which the job reads beside them."""
    world = folder / "own"
    shutil.copytree(folder / "world/model", world / "model")
    (world / "shards").mkdir()
    (world / "files").mkdir()
    for shard in (folder / "world/shards").iterdir():
        rows = pq.read_table(shard)
        names = [f"{number}.bin" for number in rows["id"].to_pylist()]
        for name in names:
            (world / "files" / name).write_bytes(name.encode())
        pq.write_table(rows.append_column("file", pa.array(names)), world / "shards" / shard.name)
    text = (folder / "world/job.yaml").read_text()
    text = text.replace(str((folder / "world").resolve()), str(world))
    step = f"{{step: load_file, column: file, root: {world}/files, into: content}}"
    (world / "job.yaml").write_text(f"{text}preprocess: {{steps: [{step}]}}\n")
    (folder / "world").unlink()
    (folder / "world").symlink_to(world)
    _published(folder, server)


def _old_runs(folder: Path, server: Server) -> None:
    """Three runs are published, long ago, and one was killed."""
    world, output = folder / "world", folder / "before"
    _published(folder, server)
    first = read_output(output)
    _publish(world, output, server)
    _publish(world, output, server, "--set", "postprocess.threshold=0.7")
    _publish(
        world,
        output,
        server,
        "--set",
        "postprocess.threshold=0.6",
        chain="transforms.publish._create_manifest:files.create",
    )
    for manifest in output.glob("runs/*/_manifest.json"):
        content = json.loads(manifest.read_text())
        assert first is not None
        year = 2001 if content["run_id"] == first.run_id else 2002
        manifest.write_text(json.dumps({**content, "published_at": f"{year}-01-01T00:00:00+00:00"}))
    for path in (*output.glob("runs/**/*"), *output.glob("_tmp/**/*")):
        os.utime(path, (1, 1))


def _half_published(folder: Path, server: Server) -> None:
    """An earlier version was killed when it had named the files of this run."""
    _published(folder, server)
    other = folder / "former"
    _publish(
        folder / "world",
        other,
        server,
        chain="transforms.publish._create_manifest:files.create",
    )
    (run,) = (other / "runs").iterdir()
    for part in (run / "scored").iterdir():
        part.rename(run / part.name)
    (run / "scored").rmdir()
    for name in ("runs", "_tmp"):
        shutil.copytree(other / name, folder / f"before/{name}", dirs_exist_ok=True)


def _broken(folder: Path, server: Server) -> None:
    """Beside the shards are one of which nobody knows a row, and one that breaks when it is read."""
    _published(folder, server)
    rows = pq.read_table(folder / "world/shards/part-00000.parquet")
    write_cut(folder / "broken/cut.parquet", rows)
    write_spoilt(folder / "broken/spoilt.parquet", rows)


def _score_with_broken(world: Path, output: Path) -> list[str]:
    """The arguments of a run that scores the others without those that are broken."""
    inputs = ("--input", str(world / "shards"), "--input", str(world.parent / "broken"))
    return [*_score(world, output, *inputs), "--set", "errors.max_broken_shards=2"]


def _profiled(folder: Path, server: Server) -> None:
    """A run with another setting is published, and what its rows were like."""
    profile = ("--set", "monitor.summaries=[profile]")
    _publish(folder / "world", folder / "before", server, *OTHER_SETTING, *profile)


def _score_checked(world: Path, output: Path) -> list[str]:
    """The arguments of a run that is compared, and whose rows pass a check of each kind."""
    kinds = {
        "id": {"unique": True, "on_failure": "hold"},
        FEATURES[1]: {"min": -100, "on_failure": "reject"},
        FEATURES[2]: {"max": 100, "on_failure": "warn"},
    }
    checks = ("--set", f"checks={json.dumps(kinds)}")
    return [*_score(world, output), "--set", "monitor.reference=previous", *checks]


def _held(folder: Path, server: Server) -> None:
    """A run is held back for its many rows, beside one that is published."""
    world, output = folder / "world", folder / "before"
    publish_few(world, output, server)
    request = Request("pipelines.score", score_many(world, output), f"{output}.log", beam=False)
    assert server.strike(request) == 6, Path(request.log).read_text()


def publish_few(world: Path, output: Path, server: Server) -> None:
    """Publish the first shard alone, so that all of them are far more rows than before."""
    profile = ("--set", "monitor.summaries=[profile]")
    first = world / "shards/part-00000.parquet"
    _publish(world, output, server, "--input", str(first), *profile)


def score_many(world: Path, output: Path) -> list[str]:
    """The arguments of a run that is held back for its many rows."""
    flags = ("--set", "monitor={reference: previous, rows: {more_than: 2}}")
    return [*_score(world, output), *flags]


def _name_held(world: Path, output: Path) -> list[str]:
    """The arguments of `pipelines.release`: the run that is held, or was when an earlier one was killed."""
    manifests = [*output.glob("runs/*/_held.json"), *output.glob("runs/*/_manifest.json")]
    # The run before it is compared with nothing.
    held = next(path for path in manifests if '"verdict"' in path.read_text())
    return [str(output), held.parent.name, "--reason", "as planned"]


def _nothing(folder: Path, server: Server) -> None:
    """Nothing is there."""


SCENARIOS = {
    "score": Scenario(
        _published,
        lambda world, output: [*_score(world, output), "--metrics_file", f"{output}.prom"],
    ),
    "second_attempt": Scenario(
        _second_attempt,
        _score,
        plant=("transforms.output.done_record.finish_unit:files.create", "meanwhile"),
    ),
    "leftovers": Scenario(_leftovers, _score),
    "reuse": Scenario(
        _corrected, lambda world, output: [*_score(world, output), "--reuse_from", "current"]
    ),
    "named_files": Scenario(_named_files, _score),
    "summaries": Scenario(_profiled, _score_checked),
    "release": Scenario(_held, _name_held, program="pipelines.release"),
    "broken_shards": Scenario(_broken, _score_with_broken),
    "lost_files": Scenario(_lost_files, _score, status=5),
    "torn_records": Scenario(
        _torn_records,
        _score,
        plant=("transforms.output.done_record.finish_unit:files.create", "meanwhile"),
    ),
    "broken_file": Scenario(
        _published,
        lambda world, output: [
            *_score(world, output),
            "--direct_running_mode=in_memory",
        ],  # the second file is of the first unit
        broken=("storage.files.open_synced:.flush", 2),
        status=5,
    ),
    "prune": Scenario(
        _old_runs,
        lambda world, output: [str(output), "--older_than_days", "1"],
        program="pipelines.prune",
    ),
    "half_published": Scenario(_half_published, _score),
    "store": Scenario(_nothing, _score, store=True),
}
