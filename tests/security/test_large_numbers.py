"""Numbers and texts that no machine holds, wherever somebody may write them: refused at once, in one line."""

from collections.abc import Callable
from dataclasses import replace
import json
from pathlib import Path
import pickle
import time
from typing import Any

import pytest
import yaml

from configs.errors import JobError, ModelError
from configs.safe_yaml import NotPlainYaml, parse_yaml
from configs.tolerance import Tolerance
from model_zoo.engines.settings import Settings
from model_zoo.engines.tuning_report import TuningReport, parse_tuning_report, refuse_other_model
from model_zoo.evaluation.agreement import Agreement
from model_zoo.package import package as packages
from model_zoo.package.package import CARD, read_package
from model_zoo.package.weights import load_network
from pipelines.planning.model_checks import check_preprocessing
from tests.security import hostile
from tests.security.refusals import Shown, refused
from tests.support.builders import tiny_package

DIGITS = "9" * 400
# What Python's hash of integers is counted by: multiples of it all have the same.
MODULUS = 2**61 - 1
# What collides takes a minute; the first of these tests imports torch.
SECONDS = 20.0
Score = Callable[..., Shown]


@pytest.fixture(autouse=True)
def _at_once() -> Any:
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        f"-{DIGITS}",
        "0x" + "f" * 17,
        "0b1" + "0" * 64,
        "9" * 5_000,
        "1" + ":59" * 100_000,
        str(2**64),
    ],
    ids=range(7),
)
def test_yaml_holds_no_integer_of_more_than_64_bits(text: str) -> None:
    with pytest.raises(NotPlainYaml, match="line 1: an integer of more than 64 bits"):
        parse_yaml(f"a: {text}")


def test_yaml_holds_those_that_a_machine_does() -> None:
    numbers = [0, -1, 2**63, 2**64 - 1, -(2**63)]
    assert parse_yaml(json.dumps(numbers)) == numbers
    assert parse_yaml("[0b" + "_1" * 64 + ", 1:30, 0o17]") == [2**64 - 1, 90, "0o17"]


def test_yaml_has_no_keys_that_collide() -> None:
    # Seconds in a dictionary; sixty thousand take a minute, and as long to be written and parsed as all else here.
    keys = "\n".join(f"{number * MODULUS}: x" for number in range(1, 10_001))
    with pytest.raises(NotPlainYaml, match="an integer of more than 64 bits"):
        parse_yaml(keys)


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '"a\\udfffb"', '{"\\ud83d": 1}', '["\\uD83D\\uDE00"]']
)
def test_yaml_holds_no_half_characters(text: str) -> None:
    with pytest.raises(NotPlainYaml, match="half a character"):
        parse_yaml(text)


@pytest.mark.parametrize(
    "field",
    [
        "source.rows_per_batch",
        "source.max_expansion",
        "sink.rows_per_file",
        "model.batch_rows",
        "postprocess.top_k",
        "errors.max_rejected_rows",
        "model.timeout_seconds",
    ],
)
@pytest.mark.parametrize("number", [DIGITS, str(2**64 - 1), "1e400"])
def test_a_job_is_refused_or_scored_as_ever(
    field: str, number: str, score_with: Score, tmp_path: Path
) -> None:
    shown = score_with(tiny_package(tmp_path / "model"), "--set", f"{field}={number}")
    # A limit beyond all numbers is none; every other field is a count.
    if field == "model.timeout_seconds" and number != DIGITS:
        assert shown[0] == 0
        return
    refused(shown, 2)


@pytest.mark.parametrize(
    "field", ["source.rows_per_batch", "source.max_expansion", "sink.rows_per_file"]
)
def test_the_largest_count_is_no_limit(field: str, score_with: Score, tmp_path: Path) -> None:
    status, told = score_with(tiny_package(tmp_path / "model"), "--set", f"{field}={2**63 - 1}")
    assert status == 0, told


@pytest.mark.parametrize("rows", [10**9, 2**63 - 1])
def test_a_mini_batch_that_no_memory_holds_is_refused(
    rows: int, score_with: Score, tmp_path: Path
) -> None:
    shown = score_with(tiny_package(tmp_path / "model"), "--set", f"model.batch_rows={rows}")
    # 8 GiB of rows of three float32.
    assert f"choose {(8 << 30) // 12:,} or fewer" in refused(shown, 2)


STEPS = [
    {"step": "scale", "columns": ["a"], "factor": [0], "offset": [0]},
    {"step": "fill", "columns": ["a"], "values": [0]},
    {"step": "ordinal", "columns": ["a"], "categories": [[0]], "unknown": "reject"},
    {
        "step": "ordinal",
        "columns": ["a"],
        "categories": [[1]],
        "unknown": "code",
        "unknown_code": 0,
    },
    {"step": "tokenize", "column": "a", "max_tokens": 0, "tokenizer": "x"},
    {"step": "image", "column": "a", "into": "x", "height": 0, "width": 1},
]


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
@pytest.mark.parametrize("value", [DIGITS, '"\\ud800"'], ids=["digits", "half a character"])
def test_a_package_whose_steps_hold_them_is_refused(
    step: dict[str, Any], value: str, score_with: Score, tmp_path: Path, monkeypatch: Any
) -> None:
    content = json.dumps([step]).replace("[0]", f"[{value}]").replace(": 0", f": {value}")
    monkeypatch.setattr(packages, "_dump_steps", lambda _: content.encode())
    refused(score_with(tiny_package(tmp_path / "model")), 2, 3)


@pytest.mark.parametrize("value", [DIGITS, '"\\ud800"'])
@pytest.mark.parametrize("key", ["smoke_tolerance", "metrics", "version", "parameters"])
def test_a_card_that_holds_them_is_refused(
    key: str, value: str, score_with: Score, tmp_path: Path
) -> None:
    package = Path(tiny_package(tmp_path / "model"))
    card = yaml.safe_load((package / CARD).read_text())
    text = yaml.safe_dump({**card, key: "PLACE"}).replace("PLACE", value)
    (package / CARD).write_text(text)
    assert "not a valid model card" in refused(score_with(package))


def test_a_state_dict_has_no_keys_that_collide(tmp_path: Path) -> None:
    keys = {number * MODULUS: None for number in range(1, 2)}
    # As many as cost a minute; one is built here, and the others are copies of its instructions.
    one = pickle.dumps(keys, 2)
    place = one.index(b"\x8a")
    length = one[place + 1]
    entries = b"".join(
        b"\x8a" + bytes([length + 2]) + (number * MODULUS).to_bytes(length + 2, "little") + b"N"
        for number in range(1, 60_001)
    )
    instructions = b"\x80\x02}(" + entries + b"u."
    archive = hostile.rewritten(
        hostile.torch_saved(hostile.weights()),
        lambda name, content: instructions if name.endswith("data.pkl") else content,
    )
    package = tiny_package(
        tmp_path / "model", weights="weights.pt", contents={"weights.pt": archive}
    )
    with pytest.raises(ModelError, match="an integer of more than 64 bits"):
        load_network(read_package(package))


REPORT = TuningReport(
    model={"name": "tiny", "version": "1", "digest": "0" * 64},
    job={},
    machine={"cores": "4"},
    settings=Settings(8),
    workers=4,
    agreement=Agreement(1, 0.0, 1.0, 1.0),
    tolerance=Tolerance(),
    rows_per_second=1.0,
    speed_up=1.0,
    made_at="",
)


def test_a_tuning_report_names_no_more_workers_than_cores() -> None:
    assert parse_tuning_report(REPORT.to_json(), "r").workers == 4
    for changes in ({"workers": 10**6}, {"workers": 0}, {"workers": -1}, {"machine": {}}):
        content = replace(REPORT, **changes).to_json()
        with pytest.raises(JobError, match=r"^r: names [\d,-]+ workers for a machine of"):
            parse_tuning_report(content, "r")
    for old, new in (
        ('"workers": 4', f'"workers": {DIGITS}'),
        ('"cores": "4"', f'"cores": "{DIGITS}"'),
    ):
        content = REPORT.to_json().decode().replace(old, new).encode()
        assert content != REPORT.to_json()
        if "cores" in old:
            parse_tuning_report(content, "r")
            continue
        with pytest.raises(JobError, match=r"^r: "):
            parse_tuning_report(content, "r")


def test_a_tuning_report_of_no_model_is_that_of_another() -> None:
    with pytest.raises(JobError, match="is the tuning report of another model"):
        refuse_other_model(replace(REPORT, model={}), "1" * 64, "r")


def test_preprocessing_that_fills_memory_on_its_smoke_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = read_package(tiny_package(tmp_path / "model"))

    def fill(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pipelines.planning.model_checks.preprocess_rows", fill)
    with pytest.raises(ModelError, match="the smoke batch does not fit the contract"):
        check_preprocessing(package)
