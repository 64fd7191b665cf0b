"""A training program that is killed, stopped or failed midway is resumed by the same command, to the bit."""

from pathlib import Path
import signal
import time

import numpy as np
import pandas as pd
import pytest

from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training import train_model
from tests.support.programs import Programs

# Long enough that a signal comes while it trains.
EPOCHS = 30


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.arange(4000), "age": random.normal(40, 9, 4000)})
    table["spend"] = random.gamma(2, 100, 4000)
    table["churned"] = table.age * 5 + random.normal(0, 50, 4000) < table.spend
    path = tmp_path_factory.mktemp("rows") / "customers.parquet"
    table.to_parquet(path)
    return path


def flags(customers: Path, output: Path, **settings: object) -> list[str]:
    settings = {"epochs": EPOCHS, "patience": EPOCHS, **settings}
    return [
        *("--data", str(customers), "--label", "churned", "--key", "id"),
        *("--output", str(output), "--name", "churn", "--version", "1", "--quiet"),
        *(
            word
            for name, value in settings.items()
            for word in ("--set", f"training.{name}={value}")
        ),
    ]


def package_of(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def run(*arguments: str) -> int:
    return run_program(train.main, list(arguments))


@pytest.fixture(scope="module")
def undisturbed(customers: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The package of a training that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "stopped"
    assert run(*flags(customers, output)) == 0
    return package_of(output)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (signal.SIGKILL, -9, ""),
        (signal.SIGTERM, 143, "terminated: nothing was published; the same command resumes where"),
        (signal.SIGINT, 130, "interrupted: nothing was published; the same command resumes where"),
    ],
)
def test_stopped_and_run_again_it_writes_the_bytes_of_one_that_nothing_stopped(
    sent: signal.Signals,
    status: int,
    said: str,
    customers: Path,
    undisturbed: dict[str, bytes],
    programs: Programs,
    tmp_path: Path,
) -> None:
    stopped = tmp_path / "stopped"
    checkpoint = tmp_path / "stopped.checkpoint/training.checkpoint"
    program = programs.start("pipelines.train", *flags(customers, stopped))
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < deadline
        assert program.poll() is None
        time.sleep(0.02)
    program.send_signal(sent)
    _, told = program.communicate(timeout=60)
    assert program.returncode == status
    assert told.startswith(said)
    assert told.count("\n") == (1 if said else 0)
    assert not stopped.exists()
    assert run(*flags(customers, stopped)) == 0
    assert package_of(stopped) == undisturbed
    assert not checkpoint.parent.exists()


@pytest.mark.slow
def test_one_that_fails_midway_says_so_and_another_recipe_is_refused(
    customers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The disk is full as the package is written: training itself is not done again."""
    output = tmp_path / "1"

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(train_model, "pack_network", fail)
        assert run(*flags(customers, output, epochs=3, patience=3)) == 5
    capsys.readouterr()
    assert run(*flags(customers, output, epochs=4, patience=3)) == 2
    assert "1.checkpoint holds a checkpoint of a training with another recipe;" in (
        capsys.readouterr().err
    )
    assert run(*flags(customers, output, epochs=3, patience=3)) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "checkpoint" in path.name) == []
