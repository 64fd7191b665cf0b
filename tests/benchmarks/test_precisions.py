"""The comparison of precisions runs, and its table says what each setting gained and how far its scores are off."""

from pathlib import Path

import pytest

from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement
from tests.benchmarks.precisions import Measurement, describe, measure_workload
from tests.support.long import long


def test_a_table_has_ratios_of_neighbours_and_agreement_or_why_there_is_none() -> None:
    same = Agreement(100, 0.0, 1.0, None)
    near = Agreement(100, 0.0125, None, 0.9995)
    measured = [
        Measurement(Settings(8), agreement=same, seconds=[2.0, 4.0, 2.0]),
        Measurement(Settings(8, "bfloat16"), agreement=near, seconds=[1.0, 1.0, 2.0]),
        Measurement(Settings(8, "int8", engine="openvino"), refusal="no"),
    ]
    assert describe("text", measured, rows=100) == [
        "| text | torch | float32 | 20,000.0 | 1.00 (1.00..1.00) | difference 0, labels 1.00000 |",
        "| text | torch | bfloat16 | 10,000.0 | 2.00 (1.00..4.00) | difference 0.013, cosine 0.99950 |",
        "| text | openvino | int8 | | | no |",
    ]


@long
@pytest.mark.slow
def test_every_engine_that_is_here_is_measured(tmp_path: Path) -> None:
    measured = measure_workload("tabular", tmp_path, rows=500, repeats=1)
    first, *others = measured
    assert first.settings == Settings(first.settings.batch_rows)
    assert others
    for one in measured:
        assert bool(one.refusal) != bool(one.seconds)
