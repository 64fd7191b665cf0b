"""A job that names its engine, or whose tuning report does: what computes, what the manifest says, and what is refused."""

from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.tolerance import Tolerance
from model_zoo.engines import engine as engines
from model_zoo.engines.machine import machine_kind
from model_zoo.engines.settings import Settings
from model_zoo.engines.torch_engine import TorchEngine
from model_zoo.engines.tuning_report import Choice, TuningReport
from model_zoo.evaluation.agreement import Agreement
from model_zoo.package.package import read_package
from model_zoo.scoring import loading
from tests.support.graphs import WEIGHTS, package_of_both
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SAME = Agreement(200, 0.0, 1.0, None)
GRAPH = Choice(
    settings=Settings(8, engine="onnxruntime"),
    library=f"onnxruntime {onnxruntime.__version__}",
    agreement=SAME,
    rows_per_second=300.0,
    speed_up=3.0,
    workers=1,
)
EAGER = Choice(Settings(8), TorchEngine().describe_version(), SAME, 100.0, 1.0, workers=1)
Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Score three rows with a package of a network and the graph of the same, with these fields of `model`."""
    write_parquet(tmp_path / "shards/0.parquet", small_table(3))
    package = package_of_both(tmp_path / "model")

    def score(**model: Any) -> Outcome:
        return run_job(write_job(tmp_path, package, model=model))

    return score


@pytest.fixture
def report(tmp_path: Path, run: Run) -> Callable[..., str]:
    """Write a report of that package, made on this machine, of these settings."""

    def write(fastest: Choice, *next_best: Choice) -> str:
        made = TuningReport(
            model={"name": "tiny", "version": "1", "digest": read_package(f"{tmp_path}/model").digest},
            job={
                "preprocess.steps": [],
                "postprocess.activation": "sigmoid",
                "postprocess.threshold": 0.5,
            },
            machine=machine_kind(torch.device("cpu")),
            tolerance=Tolerance(),
            made_at="",
            next_best=next_best,
            **{name: getattr(fastest, name) for name in asdict(fastest)},
        )  # fmt: skip
        path = tmp_path / "report.json"
        path.write_bytes(made.to_json())
        return str(path)

    return write


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Act as if a library were not installed."""

    def hide_library(library: str) -> None:
        def find_spec(name: str) -> Any:
            return None if name == library else importlib.util.find_spec(name)

        monkeypatch.setattr(engines, "find_spec", find_spec)

    return hide_library


def check_scores(outcome: Outcome) -> None:
    rows = small_table(3)
    logits = np.column_stack([rows[name].to_numpy() for name in "abc"]) @ WEIGHTS[:, 0]
    expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    actual = outcome.rows()["probability"].to_numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_each_engine_scores_the_same_package_and_its_run_is_another(run: Run) -> None:
    runs = {}
    for engine in ("torch", "onnxruntime"):
        outcome = run(engine=engine)
        check_scores(outcome)
        (computed_by,) = outcome.manifest["computed_by"]
        library = outcome.manifest["engine"]["library"]
        assert outcome.manifest["engine"]["name"] == engine
        assert outcome.manifest["engine"]["chosen_by"] == "the job"
        assert library in computed_by
        runs[engine] = outcome.manifest["run_id"]
    assert runs["torch"] != runs["onnxruntime"]
    # A job that names none is the same work as before jobs could name one.
    default = run()
    assert default.manifest["run_id"] == runs["torch"]
    assert run(fallback=True).manifest["run_id"] == runs["torch"]


def test_the_provider_stands_in_the_manifest(run: Run) -> None:
    (computed_by,) = run(engine="onnxruntime").manifest["computed_by"]
    assert computed_by.endswith(f"onnxruntime {onnxruntime.__version__} (CPUExecutionProvider)")


def test_a_report_s_engine_computes(run: Run, report: Callable[..., str]) -> None:
    outcome = run(dtype="auto", tuning_report=report(GRAPH, EAGER))
    check_scores(outcome)
    assert outcome.manifest["engine"]["name"] == "onnxruntime"
    assert outcome.manifest["engine"]["chosen_by"] == "the tuning report"
    assert outcome.manifest["agreement"] == asdict(SAME)


def test_where_its_library_is_missing_nothing_starts(
    run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    path = report(GRAPH, EAGER)
    hide("onnxruntime")
    run(dtype="auto", tuning_report=path).refused(
        "onnxruntime float32 needs onnxruntime, which is not installed here",
        "pip install '.[onnx]'",
        "set model.fallback to true",
        status=2,
    )
    run(engine="onnxruntime").refused(
        "engine onnxruntime needs onnxruntime, which is not installed"
    )


def test_the_next_best_computes_where_the_job_says_so_and_the_manifest_says_why(
    run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    path = report(GRAPH, EAGER)
    hide("onnxruntime")
    outcome = run(dtype="auto", tuning_report=path, fallback=True)
    check_scores(outcome)
    assert outcome.manifest["engine"] == {
        "name": "torch",
        "library": EAGER.library,
        "chosen_by": (
            "the tuning report, by model.fallback, because onnxruntime float32 needs onnxruntime, "
            "which is not installed here"
        ),
    }


def test_a_next_best_of_other_mini_batches_than_the_job_says_is_refused(
    run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    path = report(GRAPH, replace(EAGER, settings=Settings(4)))
    hide("onnxruntime")
    run(dtype="auto", tuning_report=path, fallback=True, batch_rows=8).refused(
        "was made with model.batch_rows 4, and the job says 8", status=2
    )


@pytest.mark.parametrize("fallback", [False, True])
def test_a_report_of_another_machine_falls_back_to_nothing(
    fallback: bool, run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    path = Path(report(GRAPH, EAGER))
    values = json.loads(path.read_text())
    values["machine"]["instructions"] = "none"
    path.write_text(json.dumps(values))
    model = {"dtype": "auto", "tuning_report": str(path), "fallback": fallback}
    run(**model).refused("was made on another kind of machine: instructions 'none'", status=2)
    hide("onnxruntime")
    run(**{**model, "fallback": True}).refused("was made on another kind of machine", status=2)


def test_a_next_best_whose_labels_were_not_compared_is_no_fallback(
    run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    unmeasured = replace(EAGER, agreement=replace(SAME, label_agreement=None))
    path = report(GRAPH, unmeasured)
    hide("onnxruntime")
    run(dtype="auto", tuning_report=path, fallback=True).refused(
        "says of float32 no agreement.label_agreement, which was not measured", status=2
    )


def test_where_the_next_best_is_missing_too_the_job_is_refused(
    run: Run, report: Callable[..., str], hide: Callable[[str], None]
) -> None:
    in_int8 = replace(GRAPH, settings=Settings(8, engine="onnxruntime", dtype="int8"))
    path = report(GRAPH, in_int8)
    hide("onnxruntime")
    run(dtype="auto", tuning_report=path, fallback=True).refused(
        "onnxruntime float32 needs onnxruntime, which is not installed here, and nothing else of "
        "the report can run",
        "pip install '.[onnx]'",
        status=2,
    )


def test_another_version_of_the_engine_is_refused_at_the_launcher(
    run: Run, report: Callable[..., str]
) -> None:
    path = report(replace(GRAPH, library="onnxruntime 1.0.0"), EAGER)
    # A fallback is for a library that is missing, not for one that nobody has measured.
    run(dtype="auto", tuning_report=path, fallback=True).refused(
        f"was made with onnxruntime 1.0.0, and onnxruntime {onnxruntime.__version__} is installed",
        status=2,
    )


def test_a_report_of_another_engine_than_the_job_s_is_refused(
    run: Run, report: Callable[..., str]
) -> None:
    run(dtype="auto", tuning_report=report(GRAPH, EAGER), engine="torch").refused(
        "is the tuning report of engine onnxruntime, and the job says model.engine torch", status=2
    )


@pytest.mark.parametrize(
    "beam", [False, pytest.param(True, marks=[pytest.mark.beam, pytest.mark.slow])]
)
def test_a_worker_without_the_engine_ends_the_run_with_one_line(
    beam: bool, run: Run, monkeypatch: pytest.MonkeyPatch, hide: Callable[[str], None]
) -> None:
    """The launcher has it: a worker's image is another than the launcher's."""
    load_scorer = loading.load_scorer

    def load_without_library(*arguments: Any) -> Any:
        hide("onnxruntime")
        return load_scorer(*arguments)

    monkeypatch.setattr(loading, "load_scorer", load_without_library)
    outcome = run(engine="onnxruntime")
    assert outcome.status == 3
    assert not outcome.is_published()
    # In this process Beam's own log goes to stderr, too.
    *before, last = outcome.error.splitlines()
    assert last == (
        "error: engine onnxruntime needs onnxruntime, which is not installed here; "
        "install its extra where workers run: pip install '.[onnx]'"
    )
    assert beam or not before


def test_a_worker_with_another_version_of_it_refuses_the_settings(
    run: Run, report: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = report(GRAPH, EAGER)
    load_scorer = loading.load_scorer

    def load_with_other_version(*arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(
                "model_zoo.engines.onnx_runtime.OnnxRuntimeEngine.describe_version",
                lambda _: "onnxruntime 9.9.9",
            )
            return load_scorer(*arguments)

    monkeypatch.setattr(loading, "load_scorer", load_with_other_version)
    run(dtype="auto", tuning_report=path).refused("onnxruntime 9.9.9 is installed here", status=2)


def test_a_report_that_names_an_engine_that_does_not_exist_is_refused(
    run: Run, report: Callable[..., str]
) -> None:
    path = Path(report(GRAPH))
    values = json.loads(path.read_text())
    values["settings"]["engine"] = "os"
    path.write_text(json.dumps(values))
    run(dtype="auto", tuning_report=str(path)).refused("engine 'os' is unknown", status=2)


def test_of_several_forms_of_a_model_that_is_read_which_the_engine_reads(
    tmp_path: Path, run: Run
) -> None:
    package = tmp_path / "model"
    job = write_job(tmp_path, package)
    graph = package / "model.onnx"
    whole = graph.read_bytes()
    torn = whole[: len(whole) // 2]
    graph.write_bytes(torn)
    # Whatever computes: a package that is not what it says may be any.
    for engine in ("torch", "onnxruntime"):
        run_job(job, "--set", f"model.engine={engine}").refused(
            "model.onnx: its content is not what model.yaml lists"
        )
    card = package / "model.yaml"
    listed = card.read_text()
    listed = listed.replace(sha256(whole).hexdigest(), sha256(torn).hexdigest())
    listed = listed.replace(f"bytes: {len(whole)}", f"bytes: {len(torn)}")
    card.write_text(listed)
    other = tmp_path / "other"
    check_scores(run_job(job, "--set", "model.engine=torch", output=other))
    of_graph = run_job(job, "--set", "model.engine=onnxruntime")
    of_graph.refused("model.onnx: it is not an ONNX file; pack the model again")
