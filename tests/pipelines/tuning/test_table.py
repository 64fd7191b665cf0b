"""The table that people read while they wait: what is known in its place, and `-` for what is not."""

import pytest

from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement
from pipelines.tuning.measured import Measured, count_departures, list_kept
from pipelines.tuning.table import COLUMNS, make_cells, make_line, shown_settings, shown_time

REFERENCE = Measured(Settings(8), 200.0)
AGREEMENT = Agreement(rows=10, max_difference=0.00123, label_agreement=0.5, cosine=None)


def test_what_is_known_is_shown() -> None:
    settings = Settings(1024, dtype="bfloat16", engine="openvino")
    measured = Measured(settings, 1234.6, agreement=AGREEMENT, problem="too far")
    cells = dict(zip(COLUMNS, make_cells(measured, REFERENCE, 61.9), strict=True))
    assert cells["time"] == "1:01"
    assert cells["engine"] == "openvino"
    assert "openvino" not in cells["setting"]
    assert cells["batch rows"] == "1,024"
    assert (cells["rows/s"], cells["speed-up"]) == ("1,235", "6.17")
    assert cells["max difference"] == "0.0012"
    assert (cells["label agreement"], cells["cosine"]) == ("0.5000", "-")
    assert cells[""] == "too far"


@pytest.mark.parametrize(
    ("rate", "reference_rate", "shown"),
    [(None, 200.0, ("-", "-")), (100.0, None, ("100", "-")), (100.0, 200.0, ("100", "0.50"))],
)
def test_what_was_not_measured_is_a_dash(
    rate: float | None, reference_rate: float | None, shown: tuple[str, str]
) -> None:
    reference = Measured(Settings(8), reference_rate)
    cells = make_cells(Measured(Settings(8), rate), reference, 0.0)
    assert (cells[4], cells[5]) == shown
    assert cells[6:9] == ["-", "-", "-"]


def test_words_stand_left_and_numbers_right() -> None:
    line = make_line(["0:00", "torch", "float32", "8", "100", "1.00", "0", "1", "-", "why"])
    assert line.startswith(" 0:00  torch        float32  ")
    starts = line.index("float32") + 35
    assert line[starts:].split() == ["8", "100", "1.00", "0", "1", "-", "why"]
    assert line[starts:].startswith(" " * (2 + 10 - 1) + "8")
    assert line.endswith("  why")
    header = make_line(COLUMNS)
    assert header.index("batch rows") + len("batch rows") == line.index("8  ") + 1
    # Without blanks at its end.
    assert header.endswith("cosine")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0:00"), (59.9, "0:59"), (60.0, "1:00"), (3601.0, "60:01")]
)
def test_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert shown_time(seconds) == shown


def test_settings_name_their_engine() -> None:
    assert shown_settings(Settings(8)).startswith("torch ")
    assert shown_settings(Settings(8, engine="openvino")).startswith("openvino ")


@pytest.mark.parametrize(
    ("settings", "departures"),
    [
        (Settings(8), 0),
        (Settings(64), 0),
        (Settings(8, dtype="bfloat16"), 1),
        (Settings(8, engine="openvino", compiled=True), 2),
        (Settings(8, layout="channels_last", dtype="float16", compiled=True), 3),
    ],
)
def test_fewer_departures_are_simpler(settings: Settings, departures: int) -> None:
    assert count_departures(settings, Settings(8)) == departures


def test_what_is_kept_is_sorted_by_its_rate() -> None:
    slow = Measured(Settings(8), 1.0)
    fast = Measured(Settings(16), 3.0)
    broken = Measured(Settings(32), 9.0, problem="no")
    unknown = Measured(Settings(64))
    assert list_kept([slow, broken, unknown, fast]) == [fast, slow, unknown]
