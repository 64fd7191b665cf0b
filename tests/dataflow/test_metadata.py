"""The template's parameters are the program's flags: every parameter is one, and every flag is a parameter or left out for a reason."""

import json
import re

import pytest

from pipelines import score
from pipelines.runners.flags import known_flags
from tests.support.repository import REPOSITORY

METADATA = json.loads((REPOSITORY / "deploy/dataflow/metadata.json").read_text())
PARAMETERS = {parameter["name"]: parameter for parameter in METADATA["parameters"]}
NO_VALUE = "the launcher passes --name=value, and this flag takes no value"
LEFT_OUT = {
    "help": NO_VALUE,
    "dry_run": NO_VALUE,
    "quiet": NO_VALUE,
    "debug": NO_VALUE,
    "shared_filesystem": "Dataflow's machines mount no folder",
    "runner": "the launcher passes it itself",
    "log_format": "the launcher says two lines, in the console log of its machine; the service logs the job",
    "metrics_file": "the launcher is gone long before the run ends",
}


@pytest.fixture
def own_flags(capsys: pytest.CaptureFixture[str]) -> dict[str, bool]:
    """The program's own flags, as its help shows them, and whether each takes a value."""
    with pytest.raises(SystemExit):
        score.main(["--help"])
    shown = capsys.readouterr().out
    return {
        name: bool(value)
        for name, value in re.findall(
            r"^  (?:-h, )?--([a-z_]+)( [A-Z{][^ ]*)?", shown, re.MULTILINE
        )
    }


def test_every_parameter_is_a_flag_with_a_value(own_flags: dict[str, bool]) -> None:
    for name in PARAMETERS:
        assert own_flags.get(name) or f"--{name}" in known_flags(), name


def test_every_flag_is_a_parameter_or_left_out_for_a_reason(own_flags: dict[str, bool]) -> None:
    assert {"config", "input", "model", "output", "set"} <= set(own_flags)
    assert set(own_flags) - set(PARAMETERS) == set(LEFT_OUT) & set(own_flags)
    assert not set(LEFT_OUT) & set(PARAMETERS)
    assert not [
        name for name, reason in LEFT_OUT.items() if reason == NO_VALUE and own_flags.get(name)
    ]


def test_parameters_say_what_the_console_shows() -> None:
    assert len(PARAMETERS) == len(METADATA["parameters"])
    for parameter in METADATA["parameters"]:
        assert set(parameter) <= {"name", "label", "helpText", "isOptional", "regexes"}
        assert parameter["label"]
        assert (
            parameter["helpText"].strip().endswith(tuple("abcdefghijklmnopqrstuvwxyz.0123456789"))
        )
    assert [name for name, parameter in PARAMETERS.items() if not parameter["isOptional"]] == [
        "config",
        "sdk_container_image",
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("config", "gs://b/jobs/job.yaml", "configs/job.yaml"),
        ("input", "gs://b/shards/{a,b}*.parquet", "/data/shards"),
        ("model", "gs://b/model", "model"),
        ("output", "gs://b/scores", "scores"),
        ("set", "model.device=cuda", "model.device"),
        (
            "sdk_container_image",
            "europe-west1-docker.pkg.dev/p/batch-prediction/scorer:0.1.0",
            "scorer",
        ),
        ("reuse_from", "current", "runs/current"),
        ("disk_size_gb", "50", "50GB"),
        ("number_of_worker_harness_threads", "4", "many"),
    ],
)
def test_regexes_take_the_good_and_refuse_the_bad(name: str, good: str, bad: str) -> None:
    patterns = PARAMETERS[name]["regexes"]
    assert all(re.fullmatch(pattern, good) for pattern in patterns)
    assert not all(re.fullmatch(pattern, bad) for pattern in patterns)
