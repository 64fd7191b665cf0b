"""The largest mini-batches that are taken, and what decides a model's inputs and labels."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError, ModelError
from model_zoo.engines.onnx_runtime import OnnxRuntimeEngine
from model_zoo.engines.settings import Settings
from model_zoo.package.card import ModelCard
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.planning.plan_inference import (
    describe_reference,
    list_deciding_values,
    plan_inference,
)
from tests.pipelines.planning.cards import make_card, make_card_of, make_job

KIB = 1 << 10


def package_of(card: ModelCard) -> Any:
    """Stand in for a package of which nothing but the card is looked at."""
    return SimpleNamespace(card=card)


@pytest.mark.parametrize(("mib", "most"), [(1, 8192), (512, 16), (3, 2730)])
def test_mini_batches_of_up_to_8_gib_are_taken(mib: int, most: int, tmp_path: Path) -> None:
    package = package_of(make_card_of(mib * KIB * KIB // 4))
    taken = plan_inference(make_job(tmp_path, model={"batch_rows": most}), package)
    assert taken == InferenceSettings(Settings(most))
    with pytest.raises(JobError) as refused:
        plan_inference(make_job(tmp_path, model={"batch_rows": most * 2 + 1}), package)
    said = str(refused.value)
    assert f"model.batch_rows {most * 2 + 1:,}: a mini-batch" in said
    # Exact: rounded, the one would read like the other.
    assert f"would take {(most * 2 + 1) * mib * 1024**2:,} bytes, more than 8,589,934,592; " in said
    assert said.endswith(f"choose {most:,} or fewer")
    with pytest.raises(JobError, match="more than 8,589,934,592"):
        plan_inference(make_job(tmp_path, model={"batch_rows": most + 1}), package)


def test_a_row_that_is_too_large_alone_is_refused(tmp_path: Path) -> None:
    """512 MiB of each input, as many as a card may say; 17 of them."""
    inputs = {f"x{n}": {"dtype": "float32", "shape": [KIB * KIB * 128]} for n in range(17)}
    with pytest.raises(JobError, match="choose 1 or fewer"):
        plan_inference(
            make_job(tmp_path, model={"batch_rows": 1}), package_of(make_card(inputs=inputs))
        )


def test_the_job_s_own_number_of_rows_goes_before_the_default(tmp_path: Path) -> None:
    package = package_of(make_card_of(1024))
    assert plan_inference(make_job(tmp_path), package).settings == Settings(128)
    own = make_job(tmp_path, model={"batch_rows": 7, "dtype": "bfloat16"})
    assert plan_inference(own, package).settings == Settings(7, "bfloat16")


def test_the_job_s_engine_goes_before_the_package_s(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    package = package_of(make_card(onnx={"model": "model.onnx"}))
    own = make_job(tmp_path, model={"engine": "onnxruntime"})
    inference = plan_inference(own, package)
    assert inference.settings == Settings(4096, engine="onnxruntime")
    assert inference.chosen_by == "the job"
    default = plan_inference(make_job(tmp_path), package)
    assert default.settings.engine == "torch"
    assert default.chosen_by == "the package"


def test_an_engine_that_reads_nothing_of_the_package_is_refused_with_those_that_do(
    tmp_path: Path,
) -> None:
    pytest.importorskip("onnxruntime")
    package = SimpleNamespace(card=make_card(), url="p")
    job = make_job(tmp_path, model={"engine": "onnxruntime"})
    with pytest.raises(ModelError) as refused:
        plan_inference(job, package)  # type: ignore[arg-type]
    assert str(refused.value) == (
        "p: holds no form of the model that engine onnxruntime reads; "
        "set model.engine to torch, or pack the model again where what exports its ONNX graph is "
        "installed: pip install '.[onnx]'"
    )


def test_an_engine_that_is_not_installed_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another engine than torch, which comes with this program."""
    monkeypatch.setattr(OnnxRuntimeEngine, "libraries", ("no_such_library",))
    monkeypatch.setattr(OnnxRuntimeEngine, "extra", "absent")
    job = make_job(tmp_path, model={"engine": "onnxruntime"})
    with pytest.raises(ModelError, match=r"needs no_such_library.*pip install '\.\[absent\]'"):
        plan_inference(job, package_of(make_card()))


@pytest.mark.parametrize(
    ("engine", "device", "why"),
    [
        ("tensorrt", "cpu", "engine tensorrt computes on cuda, and model.device is cpu; "),
        ("openvino", "cuda:1", "engine openvino computes on cpu, and model.device is cuda:1; "),
        ("onnxruntime", "cuda", ""),
        # What it stands for is seen by workers.
        ("tensorrt", "auto", ""),
    ],
)
def test_an_engine_for_other_devices_is_refused_before_anything_starts(
    engine: str, device: str, why: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    package = package_of(make_card(onnx={"model": "model.onnx"}))
    job = make_job(tmp_path, model={"engine": engine, "device": device})
    if not why:
        assert plan_inference(job, package).settings.engine == engine
        return
    with pytest.raises(ModelError, match=why):
        plan_inference(job, package)


def test_an_unknown_engine_is_an_error_of_the_job_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"model\.engine: .*'torch'"):
        make_job(tmp_path, model={"engine": "torhc"})


@pytest.mark.parametrize(
    ("activation", "of_job", "expected", "threshold"),
    [
        ("sigmoid", "auto", "sigmoid", 0.25),
        ("softmax", "auto", "softmax", None),
        ("softmax", "sigmoid", "sigmoid", 0.25),
        ("sigmoid", "none", "none", None),
    ],
)
def test_a_threshold_decides_labels_of_a_sigmoid_alone(
    activation: str, of_job: str, expected: str, threshold: float | None, tmp_path: Path
) -> None:
    job = make_job(tmp_path, postprocess={"activation": of_job, "threshold": 0.25})
    assert list_deciding_values(job, make_card(activation=activation)) == {
        "preprocess.steps": [],
        "postprocess.activation": expected,
        "postprocess.threshold": threshold,
    }


def test_thresholds_of_labels_decide_labels_too(tmp_path: Path) -> None:
    """Reports that were made before jobs had them know no such word, and still hold for jobs without."""
    plain = list_deciding_values(make_job(tmp_path), make_card())
    assert "postprocess.thresholds" not in plain
    job = make_job(tmp_path, postprocess={"thresholds": {"b": 0.2, "a": 0.1}})
    thresholds = list_deciding_values(job, make_card())["postprocess.thresholds"]
    assert list(thresholds.items()) == [("a", 0.1), ("b", 0.2)]


@pytest.mark.parametrize(
    ("engine", "words"),
    [("torch", "float32, eager"), ("onnxruntime", "onnxruntime in float32")],
)
def test_what_others_are_compared_with_is_told_in_words(engine: str, words: str) -> None:
    assert describe_reference(engine) == words
