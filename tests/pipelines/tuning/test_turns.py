"""Which of the finalists is kept, and in which order the others stand in the report."""

import pytest

from model_zoo.engines.settings import Settings
from pipelines.tuning.measured import Measured, count_departures
from pipelines.tuning.turns import rank

FLOAT32 = Settings(8)
BFLOAT16 = Settings(8, "bfloat16")
GRAPH = Settings(8, engine="graph")
GRAPH_INT8 = Settings(8, "int8", engine="graph")


@pytest.mark.parametrize(
    ("settings", "departures"),
    [
        (FLOAT32, 0),
        # Any size of mini-batches is as simple as another.
        (Settings(64), 0),
        (BFLOAT16, 1),
        (GRAPH, 1),
        (GRAPH_INT8, 2),
        (Settings(8, "bfloat16", "channels_last", compiled=True), 3),
    ],
)
def test_each_way_in_which_settings_differ_is_a_departure(
    settings: Settings, departures: int
) -> None:
    assert count_departures(settings, FLOAT32) == departures


@pytest.mark.parametrize(
    ("gains", "order"),
    [
        ({FLOAT32: 1.0, GRAPH: 3.0, GRAPH_INT8: 4.0}, [GRAPH_INT8, GRAPH, FLOAT32]),
        # Within 3 % the simpler one is kept, and the faster one comes next.
        ({FLOAT32: 1.0, GRAPH: 3.9, GRAPH_INT8: 4.0}, [GRAPH, GRAPH_INT8, FLOAT32]),
        ({FLOAT32: 1.0, GRAPH: 1.02}, [FLOAT32, GRAPH]),
        # Of equally simple ones the faster.
        ({FLOAT32: 1.0, GRAPH: 2.0, BFLOAT16: 2.01}, [BFLOAT16, GRAPH, FLOAT32]),
        ({GRAPH: 0.5, GRAPH_INT8: 0.6}, [GRAPH_INT8, GRAPH]),
        ({FLOAT32: 1.0}, [FLOAT32]),
    ],
)
def test_the_fastest_is_kept_and_of_a_tie_the_simplest(
    gains: dict[Settings, float], order: list[Settings]
) -> None:
    compared = [Measured(settings, 100 * gain, gain) for settings, gain in gains.items()]
    ranked = rank(compared, Measured(FLOAT32, 100.0, 1.0))
    assert [measured.settings for measured in ranked] == order
