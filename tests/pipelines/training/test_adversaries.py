"""A training job with a section `gan`: what it takes, and what is refused in one line."""

from contextlib import redirect_stderr, redirect_stdout
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydantic import ValidationError
import pytest
import yaml

from configs.errors import JobError
from model_zoo.package.package import read_package
from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training.adversaries import _size_generator, learn_adversaries
from pipelines.training.fitting_job import FittingJob

EXAMPLE = "configs/train_digits_gan.yaml"
ONE_EPOCH = ("--set", "training.epochs=1", "--set", "report=false", "--quiet")


def run(folder: Path, *words: str, config: str = EXAMPLE) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    command = ["--config", config, "--output", str(folder / "gan/1"), *ONE_EPOCH, *words]
    with redirect_stdout(out), redirect_stderr(err):
        status = run_program(train.main, command)
    return status, err.getvalue()


@pytest.mark.slow
def test_the_package_is_the_discriminator_and_the_job_beside_it_gives_the_same(
    tmp_path: Path,
) -> None:
    assert run(tmp_path) == (0, "")
    card = read_package(str(tmp_path / "gan/1")).card
    assert (card.builder, card.labels) == ("discriminator", ("other", "digit"))
    written = tmp_path / "gan/1.train.yaml"
    assert yaml.safe_load(written.read_text())["gan"] == {"noise": 16, "hidden": [128, 128]}
    again = tmp_path / "again"
    assert run(again, config=str(written)) == (0, "")
    weights = [(folder / "gan/1/weights.safetensors").read_bytes() for folder in (tmp_path, again)]
    assert weights[0] == weights[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "network.builder=cnn", "--set", "network.parameters={widths: [4]}",
          "--set", "network.activation=softmax"), "the network one logit a row"),
        (("--set", "data.features=[id]", "--set", "data.key=null"), "data.key"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_a_gan_is_refused(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    status, error = run(tmp_path, *words)
    assert status in (2, 3), error
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "gan/1").exists()


@pytest.mark.slow
def test_a_table_is_no_picture(tmp_path: Path) -> None:
    words = ("--set", "gan={noise: 4}", "--set", "training={epochs: 1}")
    status, error = run(tmp_path, *words, config="configs/train_breast_cancer.yaml")
    assert status == 2
    assert "gan: pictures are learned, and the network takes (30,); say an image step" in error


def job(**changes: Any) -> FittingJob:
    fields = {"data": {"paths": ["a.parquet"]}, "gan": {}, "output": "out", **changes}
    return FittingJob.model_validate(fields)


def test_a_job_of_a_gan_says_nothing_in_vain() -> None:
    assert job(training={"epochs": 3, "patience": 20}).gan is not None
    for training in ({"patience": 5}, {"schedule": "cosine"}, {"class_weights": "balanced"}):
        (name,) = training
        with pytest.raises(ValidationError, match=f"{name} is not used with gan, which takes"):
            job(training=training)
    with pytest.raises(ValidationError, match="the generator of the package was not kept"):
        job(from_package="models/a/1")
    with pytest.raises(ValidationError, match="noise"):
        job(gan={"noise": 0})


def size(*shapes: tuple[int, ...], **said: Any) -> Any:
    arrays = {str(number): np.zeros((5, *shape)) for number, shape in enumerate(shapes)}
    job: Any = SimpleNamespace(gan=SimpleNamespace(model_dump=lambda: said))
    training: Any = SimpleNamespace(inputs=arrays)
    return _size_generator(job, training)


def test_a_generator_makes_pictures_of_the_size_that_the_network_takes() -> None:
    usual = size((1, 8, 9))
    assert usual == {"noise": 16, "hidden": [128, 128], "channels": 1, "height": 8, "width": 9}
    # What nobody says stays as usual.
    assert size((1, 8, 9), noise=None) == usual
    assert size((1, 8, 9), noise=7)["noise"] == 7


@pytest.mark.parametrize("shapes", [[(3,)], [(8, 9)], [(1, 2, 8, 9)], [(1, 8, 9), (1, 8, 9)]])
def test_other_inputs_are_no_pictures(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(JobError, match="gan: pictures are learned, and the network takes"):
        size(*shapes)


@pytest.mark.parametrize(
    ("activation", "labels"),
    [("softmax", ("a", "b")), ("sigmoid", ("a",)), ("sigmoid", ("a", "b", "c"))],
)
def test_the_second_of_two_labels_is_imitated(activation: str, labels: tuple[str, ...]) -> None:
    network = SimpleNamespace(activation=activation)
    job: Any = SimpleNamespace(network=network, data=SimpleNamespace(labels=labels))
    prepared: Any = None
    with pytest.raises(JobError, match="gan: the label must have two values"):
        learn_adversaries(job, prepared, {}, lambda _: None)
