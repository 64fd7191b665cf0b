"""Training end to end: what it writes, that it writes it again to the byte, and how it refuses."""

from collections.abc import Callable
import io
import json
from pathlib import Path
import re

import numpy as np
from PIL import Image
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load as load_weights
from sklearn.preprocessing import StandardScaler
import yaml

from configs.load import load
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.scorer import load_scorer
from model_zoo.scoring.smoke import smoke_arrays
from model_zoo.training import datasets
from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training import load_job
from pipelines.training.fitting_job import FittingJob
from pipelines.training.source import Source
from pipelines.training.understanding import list_parts, understand
from tests.support.drawing import draw

BREAST_CANCER, DIGITS = "configs/train_breast_cancer.yaml", "configs/train_digits.yaml"
QUICK = ["--set", "training.epochs=2", "--quiet"]


def run(*arguments: str) -> int:
    return run_program(train.main, list(arguments))


def places(folder: Path) -> list[str]:
    """Flags that lay a folder out as the samples are."""
    return ["--output", str(folder / "model"), "--set", f"held_out={folder}"]


def split(job: FittingJob, table: pa.Table) -> list[pa.Table]:
    """Training, validation and test rows."""
    return list(list_parts(understand(job, Source(table, "rows"))).values())


def held_out(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((folder / "shards").iterdir())])


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def tabular_logits(package: Package, rows: pa.Table) -> np.ndarray:
    """The breast-cancer model in numpy, from the files of its package alone."""
    standardise = json.loads(package.read_file("preprocess.json"))[0]
    x = np.column_stack([rows.column(name).to_numpy() for name in standardise["columns"]])
    x = ((x - standardise["mean"]) / standardise["scale"]).astype(np.float32)
    weights = [
        t.numpy() for _, t in sorted(load_weights(package.read_file("weights.safetensors")).items())
    ]
    *hidden, last = list(
        zip(weights[1::2], weights[0::2], strict=True)
    )  # biases sort before weights
    for matrix, bias in hidden:
        x = np.maximum(x @ matrix.T + bias, 0)
    return (x @ last[0].T + last[1])[:, 0]


def test_breast_cancer_is_accurate_on_held_out_rows_by_an_independent_forward_pass(
    breast_cancer: Path,
) -> None:
    rows, labels = held_out(breast_cancer), pq.read_table(breast_cancer / "labels.parquet")
    logits = tabular_logits(read_package(str(breast_cancer / "model")), rows)
    truth = dict(zip(labels["id"].to_pylist(), labels["diagnosis"].to_pylist(), strict=True))
    right = [
        (logit > 0) == (truth[key] == "malignant")
        for key, logit in zip(rows["id"].to_pylist(), logits, strict=True)
    ]
    assert np.mean(right) >= 0.95


@pytest.mark.slow
def test_digits_are_accurate_on_held_out_images(digits: Path) -> None:
    rows, labels = held_out(digits), pq.read_table(digits / "labels.parquet")
    scorer = load_scorer(
        read_package(str(digits / "model")), "cpu", Settings(batch_rows=64), threads=1
    )
    images = [
        np.asarray(Image.open(io.BytesIO(b)), dtype=np.float32) for b in rows["image"].to_pylist()
    ]
    logits = scorer(
        {"image": (np.stack(images)[:, None] / np.float32(255) - np.float32(0.5)) / np.float32(0.5)}
    ).outputs["logits"]
    truth = dict(zip(labels["id"].to_pylist(), labels["digit"].to_pylist(), strict=True))
    assert (
        np.mean(
            [
                str(n) == truth[k]
                for k, n in zip(rows["id"].to_pylist(), logits.argmax(1).tolist(), strict=True)
            ]
        )
        >= 0.97
    )


@pytest.mark.parametrize(("name", "config"), [("breast_cancer", BREAST_CANCER), ("digits", DIGITS)])
def test_package_is_complete_and_small(
    name: str, config: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    job, table = load(FittingJob, config), datasets.DATASETS[name]()
    package = read_package(str(folder / "model"))
    card = package.card
    features = [
        field for field in table.schema if field.name not in (job.data.key, *job.data.label)
    ]
    assert [(c.name, c.type, c.missing) for c in card.columns] == [
        (f.name, str(f.type), job.data.missing["default"]) for f in features
    ]
    assert (card.name, card.version, card.labels, card.activation) == (
        name,
        "1",
        job.data.labels,
        job.network.activation,
    )
    assert set(card.metrics) == {"validation", "test"}
    assert card.metrics["test"]["rows"] == pq.read_table(folder / "labels.parquet").num_rows
    assert {"torch", "scikit-learn", "pyarrow"} <= set(card.libraries)
    assert sum(p.stat().st_size for p in (folder / "model").iterdir()) < 300_000
    profile = pq.read_table(folder / "model/profile.parquet")
    assert profile["column"].to_pylist()[: len(features) + 2] == [
        *(f.name for f in features),
        "probability",
        "label",
    ]


@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_smoke_batch_holds_real_training_rows(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    package = read_package(str(folder / "model"))
    smoke, columns = package.smoke, [c.name for c in package.card.columns]
    everything = datasets.DATASETS[name]().select(columns).to_pylist()
    unseen = held_out(folder).select(columns).to_pylist()
    assert smoke.num_rows >= 8
    assert all(row in everything and row not in unseen for row in smoke.select(columns).to_pylist())
    inputs, outputs = smoke_arrays(package)
    assert {n: a.shape[1:] for n, a in inputs.items()} == {
        n: t.shape for n, t in package.card.inputs.items()
    }
    assert {n: a.shape[1:] for n, a in outputs.items()} == {
        n: t.shape for n, t in package.card.outputs.items()
    }


def test_preprocessing_knows_the_training_rows_only(breast_cancer: Path) -> None:
    job = load(FittingJob, BREAST_CANCER)
    table = datasets.breast_cancer()
    training, validation, test = split(job, table)
    step = json.loads((breast_cancer / "model/preprocess.json").read_text())[0]
    matrix = np.column_stack([training.column(name).to_numpy() for name in step["columns"]])
    scaler = StandardScaler().fit(matrix)
    assert step["mean"] == scaler.mean_.tolist()
    assert step["scale"] == scaler.scale_.tolist()
    assert held_out(breast_cancer)["id"].to_pylist() == test["id"].to_pylist()
    assert training.num_rows + validation.num_rows + test.num_rows == table.num_rows


def test_split_is_stratified_and_takes_every_row_once() -> None:
    job, table = load(FittingJob, BREAST_CANCER), datasets.breast_cancer()
    parts = split(job, table)
    assert sorted(i for part in parts for i in part["id"].to_pylist()) == table["id"].to_pylist()
    share = table["diagnosis"].to_pylist().count("malignant") / table.num_rows
    for part in parts:
        assert part["diagnosis"].to_pylist().count("malignant") == pytest.approx(
            share * part.num_rows, abs=1
        )


@pytest.mark.parametrize(("name", "label"), [("breast_cancer", "diagnosis"), ("digits", "digit")])
def test_shards_are_uneven_with_row_groups_and_without_the_label(
    name: str, label: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    shards = [pq.ParquetFile(path) for path in sorted((folder / "shards").iterdir())]
    assert len(shards) == 4
    assert len({s.metadata.num_rows for s in shards}) == 4
    assert all(s.metadata.num_row_groups > 1 and label not in s.schema_arrow.names for s in shards)
    assert all(s.metadata.row_group(0).column(0).compression == "ZSTD" for s in shards)
    labels = pq.read_table(folder / "labels.parquet")
    assert labels.column_names == ["id", label]
    assert labels["id"].to_pylist() == held_out(folder)["id"].to_pylist()
    original = datasets.DATASETS[name]().take(labels["id"])
    assert original.drop_columns([label]).equals(held_out(folder))
    assert original[label].equals(labels[label])


def test_csv_shards_parse_back_to_the_same_bits(breast_cancer: Path, digits: Path) -> None:
    for path in sorted((breast_cancer / "shards").iterdir()):
        expected = pq.read_table(path)
        text = breast_cancer / "shards_csv" / path.with_suffix(".csv").name
        types = {field.name: field.type for field in expected.schema}
        assert pacsv.read_csv(
            text, convert_options=pacsv.ConvertOptions(column_types=types)
        ).equals(expected)
        header, *lines = text.read_text().splitlines()
        assert [name.strip('"') for name in header.split(",")] == expected.column_names
        assert [[float(cell) for cell in line.split(",")] for line in lines] == [
            list(map(float, r.values())) for r in expected.to_pylist()
        ]
    assert not (digits / "shards_csv").exists()


@pytest.mark.slow
def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        assert (
            run(
                "--config",
                BREAST_CANCER,
                *places(folder),
                "--set",
                f"training.seed={seed}",
                *QUICK,
            )
            == 0
        )
    a, b, c = map(files_below, folders)
    # What says where it is cannot be the same.
    told = {"model.job.yaml", "model.train.yaml", "model.html"}
    assert a.keys() == b.keys()
    assert all(a[name] == b[name] for name in a.keys() - told)
    assert a["model/weights.safetensors"] != c["model/weights.safetensors"]
    assert a["labels.parquet"] != c["labels.parquet"]


@pytest.mark.slow
def test_the_report_beside_a_package_has_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    draw(monkeypatch)
    assert run("--config", BREAST_CANCER, *places(tmp_path), *QUICK) == 0
    assert (tmp_path / "model.html").read_text().count("<svg") >= 2


def test_the_sample_in_the_repository_is_what_its_job_writes(breast_cancer: Path) -> None:
    """Whole rows and contract; weights and metrics may differ in the last bits on another processor."""
    sample = Path("samples/breast_cancer")
    fresh, kept = files_below(breast_cancer), files_below(sample)
    # CSV shards, the jobs and the report are made by the job, not kept.
    made = ("shards_csv/", "model.")
    committed = {name for name in fresh if not name.startswith(made)}
    assert {name for name in kept if not name.startswith(made)} == committed
    for name in ("labels.parquet", "model/preprocess.json"):
        assert kept[name] == fresh[name]
    assert held_out(sample).equals(held_out(breast_cancer))
    cards = [yaml.safe_load(files["model/model.yaml"]) for files in (kept, fresh)]
    for field in ("columns", "inputs", "outputs", "parameters", "labels"):
        assert cards[0][field] == cards[1][field]


def test_features_fills_and_order_are_the_jobs(tmp_path: Path) -> None:
    chosen = "[worst area, mean radius]"
    settings = {
        "data.features": chosen,
        "data.fill": "{mean radius: 14.0}",
        "preprocess": f"[{{step: standardise, columns: {chosen}}}, {{step: stack, columns: {chosen}, into: x}}]",
        "network.parameters": "{in_features: 2, hidden: [4], out_features: 1}",
    }
    flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert run("--config", BREAST_CANCER, *places(tmp_path), *flags, *QUICK) == 0
    card = read_package(str(tmp_path / "model")).card
    assert [(c.name, c.missing, c.fill) for c in card.columns] == [
        ("worst area", "error", None),
        ("mean radius", "fill", 14.0),
    ]
    # All columns, so that whoever scores them may keep what the model does not see.
    assert held_out(tmp_path).column_names == held_out(Path("samples/breast_cancer")).column_names


@pytest.mark.slow
def test_overwriting_must_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--config", BREAST_CANCER, *places(tmp_path), *QUICK]
    assert run(*command) == 0
    before = files_below(tmp_path)
    (tmp_path / "mine.txt").write_text("not written by training")
    assert run(*command) == 2
    assert (
        "holds a model package already, and packages never change; choose another --output, a new "
        "version for example, or replace it with --overwrite" in capsys.readouterr().err
    )
    assert run(*command, "--overwrite", "--set", "training.seed=9") == 0
    after = files_below(tmp_path)
    assert after.pop("mine.txt") == b"not written by training"
    assert after["model/weights.safetensors"] != before["model/weights.safetensors"]


def test_a_training_that_fails_leaves_the_old_model(tmp_path: Path) -> None:
    command = ["--config", BREAST_CANCER, *places(tmp_path), *QUICK]
    assert run(*command) == 0
    before = files_below(tmp_path)
    assert (
        run(
            *command,
            "--overwrite",
            "--set",
            "training.optimiser=sgd",
            "--set",
            "training.learning_rate=1e30",
        )
        == 3
    )
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--confg", "x"], 2, "--config"),
        (
            ["--config", BREAST_CANCER, "--overwite"],
            2,
            "unknown flag --overwite; did you mean --overwrite?",
        ),
        (["--config", "nowhere.yaml"], 2, "nowhere.yaml: cannot be read"),
        (["--config", BREAST_CANCER, "--set", "training.epoch=1"], 2, "did you mean epochs?"),
        (["--config", BREAST_CANCER, "--set", "network.builder=mpl"], 3, "did you mean 'mlp'?"),
        (
            ["--config", BREAST_CANCER, "--set", "network.inputs=[y]"],
            2,
            "inputs.y: there is no column 'y'",
        ),
        (
            ["--config", BREAST_CANCER, "--set", "data.label=diagnoses"],
            2,
            "no column 'diagnoses'; did you mean diagnosis?",
        ),
        (
            ["--config", BREAST_CANCER, "--set", "data.labels=[good, bad]"],
            2,
            "must be the values of diagnosis: ['benign', 'malignant']",
        ),
        (
            ["--config", BREAST_CANCER, "--set", "split.test=0.001"],
            2,
            "split does not suit the 569 rows",
        ),
        (
            ["--config", DIGITS, "--set", "network.parameters.classes=4"],
            3,
            "does not suit the loss",
        ),
    ],
)
def test_a_refusal_is_one_plain_line(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*arguments, *places(tmp_path / "out"), *QUICK) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert not (tmp_path / "out").exists()


_ASKED = {"--data": "data.paths (--data)", "--output": "output (--output)"}
_ASKED |= {"--label": "data.label (--label)", "--key": "data.key (--key)"}


@pytest.mark.parametrize("given", [(), ("--label",), ("--key",), ("--data",), ("--output",)])
def test_what_is_not_said_and_no_row_can_tell_is_asked_for_all_at_once(
    given: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [text for flag in given for text in (flag, "there")]
    assert run(*flags) == 2
    error = capsys.readouterr().err
    asked = {flag for flag, words in _ASKED.items() if words in error}
    assert asked == _ASKED.keys() - given
    assert error.count("\n") == 1


@pytest.mark.parametrize("flag", ["--data", "--label", "--key", "--output", "--version"])
def test_what_a_flag_says_arrives_to_the_letter(flag: str) -> None:
    text = "na\u00efve \U0001f600: 'a' \"b\" #c"
    arguments = train._parse([flag, text])
    said = [yaml.safe_load(value) for _, value in load_job._list_overrides(arguments)]
    assert text in said or [text] in said


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", "nowhere.yaml", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_and_metrics_are_printed_unless_quiet(
    quiet: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "--config",
        BREAST_CANCER,
        *places(tmp_path),
        "--set",
        "training.epochs=10",
        *(["--quiet"] if quiet else []),
    ]
    assert run(*command) == 0
    out, err = capsys.readouterr()
    if quiet:
        assert (out, err) == (f"{tmp_path}/model.job.yaml\n", "")
        return
    assert "epoch 10 of at most 10: training loss" in err
    assert all(
        text in out
        for text in (
            "validation\nrows       86",
            "test\nrows       143",
            "true \\ predicted",
            "ROC AUC",
        )
    )
    metrics = read_package(str(tmp_path / "model")).card.metrics
    assert f"accuracy   {metrics['test']['accuracy']:.4f}" in out


@pytest.mark.slow
def test_rows_that_preprocessing_does_not_take_are_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(make: Callable[[], pa.Table] = datasets.digits) -> pa.Table:
        table = make()
        images = [
            b"no image" if n == 5 else value for n, value in enumerate(table["image"].to_pylist())
        ]
        return table.set_column(1, "image", pa.array(images, pa.binary()))

    monkeypatch.setitem(datasets.DATASETS, "digits", broken)
    assert run("--config", DIGITS, *places(tmp_path), "--set", "training.epochs=1") == 0
    told = capsys.readouterr().out
    assert re.search("note +1 rows of the (training|validation|test) part are left out", told)
