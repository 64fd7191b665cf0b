"""The best loop computes with the engine and the precision that tuning chose, whichever that is."""

from pathlib import Path

import numpy as np
import pytest

from configs.tolerance import Tolerance
from model_zoo.engines.settings import Settings
from model_zoo.engines.tuning_report import TuningReport
from model_zoo.evaluation.agreement import Agreement
from tests.benchmarks.engine_loops import REPORT, is_tuned, load_tuned
from tests.support.graphs import WEIGHTS, package_of_both

pytest.importorskip("onnx")


def write_report(folder: Path, settings: Settings) -> None:
    report = TuningReport(
        model={},
        job={},
        machine={"cores": "2"},
        settings=settings,
        workers=2,
        agreement=Agreement(9, 0.0, 1.0, None),
        tolerance=Tolerance(),
        rows_per_second=1.0,
        speed_up=1.0,
        made_at="",
    )
    (folder / REPORT).write_bytes(report.to_json())


@pytest.mark.parametrize(
    ("settings", "digits"),
    [
        (Settings(8), 1e-6),
        (Settings(8, "bfloat16"), 0.02),
        (Settings(8, engine="onnxruntime"), 1e-6),
        (Settings(8, engine="openvino"), 1e-6),
    ],
)
def test_rows_are_computed_as_the_report_says(
    settings: Settings, digits: float, tmp_path: Path
) -> None:
    pytest.importorskip(settings.engine)
    package = Path(package_of_both(tmp_path / "model"))
    assert not is_tuned(package)
    write_report(tmp_path, settings)
    assert is_tuned(package)
    x = np.random.default_rng(1).standard_normal((16, 3)).astype(np.float32)
    # As images are decoded: a view with other strides.
    turned = np.asfortranarray(x)
    actual = load_tuned(package)({"x": turned}).reshape(-1)
    expected = (x @ WEIGHTS)[:, 0]
    difference = np.abs(actual - expected).max() / np.abs(expected).max()
    assert difference <= digits
    is_rounded = settings.dtype == "bfloat16"
    assert is_rounded == (difference > 1e-6)
