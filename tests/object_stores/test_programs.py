"""The programs with input, model and output in an object store: what is killed or runs beside another is a process of its own."""

from collections.abc import Callable
import os
from pathlib import Path
import signal
import tempfile

import fsspec
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines import score, train, verify
from pipelines.cli.command_line import run_program
from storage import files
from storage.layout import find_current_run, list_below_scored
from storage.run_folder import RunFolder
from tests.object_stores.proxy import Fault, Proxy
from tests.object_stores.readers import content, published, watched
from tests.object_stores.servers import SECRET, Server, missing
from tests.object_stores.stores import at, new_bucket
from tests.support.programs import Program, Programs
from tests.support.repository import REPOSITORY

SAMPLE = REPOSITORY / "samples/breast_cancer"
CSV = ("--set", "source.format=csv", "--set", "source.types.id=int64")

Start = Callable[..., Program]
pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture(scope="module")
def sample(server: Server) -> str:
    """URL of a bucket with the sample's shards, as Parquet and as CSV, and its model."""
    url = new_bucket(server)
    for path in sorted((SAMPLE / "shards").iterdir()):
        files.put(f"{url}/shards/{path.name}", path.read_bytes())
        sink = Path(tempfile.mkdtemp()) / "a.csv"
        pacsv.write_csv(pq.read_table(path), sink)
        files.put(f"{url}/csv/{path.stem}.csv", sink.read_bytes())
    for path in sorted((SAMPLE / "model").iterdir()):
        files.put(f"{url}/model/{path.name}", path.read_bytes())
    return url


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The sample scored from local disk to local disk."""
    output = str(tmp_path_factory.mktemp("local"))
    assert run_program(score.main, ["--output", output, "--quiet"]) == 0
    return content(RunFolder(output, find_current_run(output) or ""))


@pytest.fixture
def start(programs: Programs, server: Server, sample: str) -> Start:
    """Start a program in a process group of its own that talks to the store, or to a proxy of it."""

    def run(module: str, *arguments: str, address: str | None = None) -> Program:
        return programs.start(module, *arguments, env={**os.environ, **server.environment(address)})

    return run


@pytest.fixture(scope="module", autouse=True)
def unreachable(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    """Programs by the flag that names a bucket of a server that is not there: each asks again for some seconds, meanwhile others are tested."""
    if missing("s3"):
        return {}
    environment = {**os.environ, **Server("s3", "127.0.0.1:9").environment()}
    flags = [
        "--config",
        "configs/breast_cancer.yaml",
        "--quiet",
        "--output",
        str(tmp_path_factory.mktemp("unreachable")),
    ]
    return {
        f: programs.start("pipelines.score", *flags, f, "s3://bucket/x", env=environment)
        for f in ("--input", "--model", "--output")
    }


def end(program: Program) -> str:
    """Standard output of a program that ends well."""
    out, err = program.communicate(timeout=300)
    assert program.returncode == 0, err
    return out


def job(sample: str, output: str, *more: str) -> list[str]:
    return [
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        f"{sample}/shards",
        "--model",
        f"{sample}/model",
        "--output",
        output,
        *more,
    ]


def test_input_model_and_output_in_the_store(
    start: Start, sample: str, bucket: str, undisturbed: dict[str, bytes]
) -> None:
    output = f"{bucket}/scores"
    end(start("pipelines.score", *job(sample, output)))
    assert published(output) == undisturbed
    assert "every sha256, row count and schema is as published" in end(
        start("pipelines.verify", output)
    )
    before = files.read(f"{output}/CURRENT")
    assert "already published" in end(start("pipelines.score", *job(sample, output)))
    # Written again, with the time of this launch, and the same run in it.
    assert files.read(f"{output}/CURRENT") == before
    assert files.list_names(output) == ["CURRENT", "runs"]


def test_ways_to_name_the_same_input_are_the_same_work(
    sample: str, bucket: str, undisturbed: dict[str, bytes]
) -> None:
    shards = files.list_names(f"{sample}/shards")
    by_name = [word for name in shards for word in ("--input", f"{sample}/shards/{name}")]
    for words in (
        by_name,
        ["--input", f"{sample}/shards/"],
        ["--input", f"{sample}/shards/*.parquet"],
    ):
        arguments = [
            "--config",
            "configs/breast_cancer.yaml",
            *words,
            "--model",
            f"{sample}/model",
            "--output",
            f"{bucket}/scores",
            "--quiet",
        ]
        assert run_program(score.main, arguments) == 0
    assert len(files.list_names(f"{bucket}/scores/runs")) == 1
    assert published(f"{bucket}/scores") == undisturbed


def test_csv_input(sample: str, bucket: str, undisturbed: dict[str, bytes]) -> None:
    arguments = [
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        f"{sample}/csv/*.csv",
        "--model",
        f"{sample}/model",
        "--output",
        f"{bucket}/scores",
        "--quiet",
        *CSV,
    ]
    assert run_program(score.main, arguments) == 0
    assert published(f"{bucket}/scores") == undisturbed
    assert run_program(verify.main, [f"{bucket}/scores"]) == 0


def test_folders_of_columns_are_read_and_written(sample: str, bucket: str) -> None:
    """A lake in a store: files of other folders are not opened, and scores are in folders, too."""
    shards = sorted((SAMPLE / "shards").iterdir())
    for number, path in enumerate(shards):
        place = f"{bucket}/lake/dt=2026-01-0{number + 1}/at=12%3A30/p.parquet"
        # Of the first day nothing can be read.
        files.put(place, path.read_bytes() if number else b"no parquet")
    settings = (
        "source.partitions=hive",
        "source.where=dt > '2026-01-01'",
        "source.passthrough=[dt, at]",
        "sink.partition_by=[dt, at]",
    )
    words = [word for setting in settings for word in ("--set", setting)]
    places = ["--input", f"{bucket}/lake", "--output", f"{bucket}/scores"]
    model = ["--model", f"{sample}/model", "--key", "id", "--quiet"]
    assert run_program(score.main, [*places, *model, *words]) == 0
    assert run_program(verify.main, [f"{bucket}/scores", "--inputs"]) == 0
    run_id = (files.read(f"{bucket}/scores/CURRENT") or b"").decode().strip()
    run = RunFolder(f"{bucket}/scores", run_id)
    paths = list_below_scored(run)
    days = range(2, len(shards) + 1)
    assert [path.rpartition("/")[0] for path in paths] == [
        f"scored/dt=2026-01-0{day}/at=12%3A30" for day in days
    ]
    for path, shard in zip(paths, shards[1:], strict=True):
        with files.open_read(f"{run.published}/{path}") as file:
            assert pq.read_table(file)["id"].equals(pq.read_table(shard)["id"])


def test_training_writes_a_package_that_scores(bucket: str) -> None:
    output = f"{bucket}/trained"
    config = [
        "--config",
        str(REPOSITORY / "configs/train_breast_cancer.yaml"),
        "--set",
        "training.epochs=2",
        "--quiet",
    ]
    assert run_program(train.main, [*config, "--output", output]) == 0
    assert run_program(train.main, [*config, "--output", output, "--overwrite"]) == 0
    scoring = [
        "--config",
        "configs/breast_cancer.yaml",
        "--input",
        f"{output}.held_out/shards",
        "--model",
        output,
        "--output",
        f"{bucket}/scores",
        "--quiet",
    ]
    assert run_program(score.main, scoring) == 0
    assert run_program(verify.main, [f"{bucket}/scores"]) == 0


@pytest.mark.parametrize(
    ("step", "number", "after"),
    # Before the manifest, and at all requests of publishing, one is killed in test_publishing.py.
    [("done", 2, True), ("_manifest.json", 1, True)],
    ids=["two units done", "after the manifest"],
)
def test_killed_with_its_whole_group_it_resumes(
    step: str,
    number: int,
    after: bool,
    start: Start,
    sample: str,
    bucket: str,
    proxy: Proxy,
    undisturbed: dict[str, bytes],
) -> None:
    output, launchers = f"{bucket}/scores", []
    proxy.fault = Fault(
        f"^(PUT|POST) .*{step}", lambda: os.killpg(launchers[0].pid, signal.SIGKILL), after, number
    )
    with proxy.lock:
        launchers.append(start("pipelines.score", *job(sample, output), address=proxy.address))
    assert launchers[0].wait(300) == -signal.SIGKILL, launchers[0].communicate()
    assert find_current_run(output) is None
    out = end(start("pipelines.score", *job(sample, output)))
    assert ("resumed" in out) == (step == "done")
    assert published(output) == undisturbed
    assert files.list_names(output) == ["CURRENT", "runs"]


def test_two_launchers_of_the_same_work(
    start: Start, sample: str, bucket: str, undisturbed: dict[str, bytes]
) -> None:
    output = f"{bucket}/scores"
    assert (
        run_program(
            score.main, job(sample, output, "--set", "postprocess.threshold=0.9", "--quiet")
        )
        == 0
    )
    old = find_current_run(output)
    with watched(output) as seen:
        for launcher in [start("pipelines.score", *job(sample, output)) for _ in range(2)]:
            end(launcher)
    assert seen <= {old, find_current_run(output)}
    assert published(output) == undisturbed


def failing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], main: Callable[..., int] = score.main
) -> tuple[int, str]:
    """Exit status of a program in this process, and its one line on stderr, which shows no secret."""
    capsys.readouterr()
    status = run_program(main, arguments)
    error = capsys.readouterr().err
    check_line(error)
    return status, error


def check_line(error: str) -> None:
    assert error.count("\n") == 1, error
    assert SECRET not in error
    assert "Traceback" not in error
    assert "internal error" not in error


@pytest.mark.parametrize(("flag", "status"), [("--input", 3), ("--model", 3), ("--output", 5)])
def test_a_missing_bucket(
    flag: str,
    status: int,
    server: Server,
    sample: str,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nowhere = f"{server.scheme}://missing-{os.getpid()}/x"
    assert failing(capsys, [*job(sample, f"{bucket}/scores"), flag, nowhere])[0] == status
    assert not fsspec.filesystem(server.scheme, use_listings_cache=False).exists(
        nowhere.rsplit("/", 1)[0]
    )


@pytest.mark.parametrize(("flag", "status"), [("--input", 3), ("--model", 3), ("--output", 5)])
def test_a_server_that_is_not_there(
    flag: str, status: int, server: Server, unreachable: dict[str, Program]
) -> None:
    if server.scheme == "gs":
        pytest.skip("gcsfs asks again for half a minute")
    launcher = unreachable[flag]
    error = launcher.communicate()[1]
    assert launcher.returncode == status, error
    check_line(error)
    assert "connect" in error


@pytest.mark.parametrize(("flag", "status"), [("--input", 3), ("--model", 3), ("--output", 5)])
def test_credentials_that_are_refused(
    flag: str,
    status: int,
    server: Server,
    proxy: Proxy,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    proxy.instead = lambda _: (
        403,
        b"<Error><Code>InvalidAccessKeyId</Code><Message>There is no such key.</Message></Error>",
    )
    with at(Server(server.scheme, proxy.address)):
        code, error = failing(
            capsys,
            [
                "--config",
                "configs/breast_cancer.yaml",
                "--output",
                str(tmp_path / "scores"),
                flag,
                f"{server.scheme}://bucket/x",
            ],
        )
    assert code == status, error


def test_no_credentials_at_all(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    if server.scheme == "gs":
        pytest.skip("gcsfs goes on without credentials, and the server refuses")
    with at(server):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(variable, str(tmp_path / "none"))
        for flag, status in (("--input", 3), ("--model", 3), ("--output", 5)):
            code, error = failing(
                capsys,
                [
                    "--config",
                    "configs/breast_cancer.yaml",
                    "--output",
                    str(tmp_path / "scores"),
                    flag,
                    "s3://bucket/x",
                ],
            )
            assert (code, "credentials" in error) == (status, True)


def test_a_missing_extra_is_named(programs: Programs, server: Server, tmp_path: Path) -> None:
    package, extra = ("gcsfs", "gcs") if server.scheme == "gs" else ("s3fs", "s3")
    run = programs.run(
        "tests.object_stores.without_extra",
        package,
        f"{server.scheme}://bucket/x",
        str(tmp_path / "scores"),
    )
    assert run.stdout.split() == ["3", "3", "2"], run.stderr
    for line in run.stderr.splitlines():
        assert package in line
        assert extra in line
    assert run.stderr.count("\n") == 3


@pytest.mark.parametrize(
    "output",
    [
        "sftp://host/scores",
        "http://host/scores",
        "zip://scores::s3://bucket/a.zip",
        "hdfs://host/scores",
    ],
)
def test_an_output_without_a_conditional_put_is_refused(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = failing(capsys, ["--output", output])
    assert status == 2
    assert "s3://" in error
