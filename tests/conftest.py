"""What several tests need: the sample's models and data, a way to run programs, and the order in which workers take tests."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
import gc
import importlib
from importlib.util import find_spec
import io
import os
from pathlib import Path
import sys
import tempfile
import threading
from typing import Any

from hypothesis import HealthCheck, settings
import pytest

from tests.support.built_once import built_once
from tests.support.drawing import draw_nothing
from tests.support.exporting import export, export_nothing
from tests.support.fork_servers import CHILDREN, PROGRAMS, SERVERS, ForkServers
from tests.support.graph_trials import try_graphs, try_no_graph
from tests.support.later_imports import LATER, import_later_ones
from tests.support.logs import LogsOfFailures
from tests.support.own_folders import make_own_folder
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY
from tests.support.shortcuts import take_shortcuts
from tests.support.turns import rank

# Threads of torch that wait for the next small network sleep, where they would spin and take the time
# of other workers: a third of what its tests take. Before torch is imported, and for all workers.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# OpenVINO counts its users over the network when it is imported, which tests do by themselves. Of a
# module that is None, Python says that it is not installed.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
# And ONNX Runtime, which some tests import before anything of ours.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Machine code of networks of tests is short: nobody waits for a compiler that makes what calls it fast.
os.environ.setdefault("AOT_INDUCTOR_COMPILE_WRAPPER_OPT_LEVEL", "O0")
os.environ.setdefault("AOT_INDUCTOR_ENABLE_LINE_TABLES", "0")
# And inductor takes the processor's word for what it can do, where it would compile a program for each
# of its abilities; it asks in test_compiled.py alone.
os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "1")

# Examples are the same in every run, so that none fails by chance; each run of `make test-long` has others.
# How long one takes is no matter: a machine may be busy.
settings.register_profile(
    "repeatable",
    derandomize="FULL_COUNTS" not in os.environ,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# What tests import is a million objects, and the collector would go through them again and again while
# they come in: a quarter of the time. It works from `pytest_collection_finish` on.
gc.disable()

# Programs are imported where they are run: of a few tests that need none, nobody waits for torch and Beam.

# Tests that use one of these start programs, with no need to say so.
_FIXTURES_THAT_START = {
    "programs",
    "servers",
    "server",
    "cluster",
    "on_cluster",
    "job_server",
    "image",
    "forked_children",
}
# What the interpreter tells of when a program is started.
_STARTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system")
# What a program sets for the Python processes that it starts.
_SET_FOR_WORKERS = (b"PATH", b"PYTHONPATH", b"PYTHONSAFEPATH")
_OBJECTS_BETWEEN_COLLECTIONS = 20_000


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let all temporary files of a session lie in its folder, which goes with it.

    Programs that a test kills leave theirs behind, and so do libraries. Workers share one folder, and
    with it what libraries keep to compute it once. It is near the top: paths of sockets are short.
    """
    config.pluginmanager.register(LogsOfFailures())
    folder = _session_folder(config) / "tmp"
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    # Python remembers the former one.
    tempfile.tempdir = None
    config.stash[SERVERS] = ForkServers(config._tmp_path_factory.getbasetemp() / "servers")  # type: ignore[attr-defined]
    _keep_compiled_networks()


def _keep_compiled_networks() -> None:
    """Let inductor find from session to session what it has compiled."""
    folder = REPOSITORY / "build/inductor"
    name = "TORCHINDUCTOR_CACHE_DIR"
    if name in os.environ:
        return
    # Before ours is imported, which names a place in the temporary folder otherwise.
    os.environ[name] = str(folder)
    from model_zoo.library_caches import is_private, keep_library_caches_private

    # Programs refuse a folder that others may write to, and so may they to this repository.
    if not is_private(folder):
        del os.environ[name]
        keep_library_caches_private()


def _session_folder(config: Any) -> Path:
    own: Path = config._tmp_path_factory.getbasetemp()
    # A worker's folder lies in the one that all workers of this session share.
    is_worker = hasattr(config, "workerinput")
    return own.parent if is_worker else own


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import early what looks through all other modules when it is imported, which takes seconds once all are there."""
    takes_all = session.config.args == session.config.getini("testpaths")
    if takes_all and find_spec("skops"):
        importlib.import_module("skops.io")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts programs by its fixtures, and put the longest work first."""
    for item in items:
        if not _FIXTURES_THAT_START.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.program)
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish() -> None:
    """Never look again at what was imported: each collection of garbage would go through half a million objects."""
    # What the program imports only when its job is valid comes in before the first test, too.
    if "apache_beam" in sys.modules:
        import_later_ones(["pipelines.score"])
    import_later_ones(LATER.keys() & sys.modules.keys())
    # What the imports left behind stays too: looking for it would be one more walk.
    gc.freeze()
    # Tests leave little behind and make much: a fortieth of the time went by in looking for garbage after each 700 objects. What is there
    # for longer is a module's, and stays: it is looked at after 100 such looks, and not after ten.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 100)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[None]:
    """Undo what a program that a shared fixture ran in this process has set up for its workers.

    A fixture of one test needs no such care: `_for_itself` comes after it.
    """
    if fixturedef.scope == "function":
        return (yield)
    before = {name: os.environb.get(name) for name in _SET_FOR_WORKERS}
    try:
        return (yield)
    finally:
        _restore(before)


def _restore(before: dict[bytes, bytes | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of it again: libraries look at their leftovers when the interpreter ends, which that of a worker does at once."""
    if not hasattr(config, "workerinput"):
        config.stash[SERVERS].close()
        gc.unfreeze()


_may_start = True
_test: pytest.Item
_started: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note which test it is, for fixtures of every test: to hand them `request` takes as long as all that they do."""
    global _test
    _test = item


def _refuse_unmarked(event: str) -> None:
    """Stop a test that starts a program without saying so: `make quick` must stay quick.

    A thread of Beam's would swallow the error and wait for ever, so what starts in another thread is told when the test has ended.
    """
    if _may_start:
        return
    what = f"this test starts a program ({event}): mark it with pytest.mark.program"
    if threading.current_thread() is threading.main_thread():
        raise RuntimeError(what)
    _started.append(what)


class _Start(str):
    """The name of an event at which a program is started, which a dict compares with no other name than itself."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, event: object) -> bool:
        _refuse_unmarked(self)
        return True


# The interpreter tells of millions of events: a function of ours that is called for each takes a fiftieth of the time of all tests, and
# that of a dict, which looks for its name, a tenth of that.
sys.addaudithook({_Start(name): None for name in _STARTS}.get)


@pytest.fixture(scope="session", autouse=True)
def _shortcuts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        take_shortcuts(patch)
        export_nothing(patch)
        draw_nothing(patch)
        try_no_graph(patch)
        yield


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packaging and training export networks to ONNX in this test, as they do for a user who has the libraries."""
    for library in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(library)
    export(monkeypatch)


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers try graphs in a process of its own in this test, as they do for a user."""
    try_graphs(monkeypatch)


@pytest.fixture(autouse=True)
def _for_itself() -> Iterator[None]:
    """Begin each test in the repository, let it start no program without saying so, and leave its environment as it was.

    One fixture for all three, as each of them takes as long as many of ten thousand tests.
    """
    global _may_start
    # Paths in the example jobs are relative to the repository, as for a user who stands in it.
    os.chdir(REPOSITORY)
    _started.clear()
    _may_start = _test.get_closest_marker("program") is not None
    before = _copy_environment()
    yield
    _may_start = True
    _leave_environment(before)
    assert not _started, _started[0]


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test's own, which is removed if the test passes."""
    yield from make_own_folder(tmp_path_factory.getbasetemp(), _test)


def _copy_environment() -> dict[bytes, bytes]:
    """Return the environment as Python keeps it: to decode each name and value took as long as a small test."""
    kept: dict[bytes, bytes] = os.environb._data  # type: ignore[attr-defined]
    return kept.copy()


def _leave_environment(before: dict[bytes, bytes]) -> None:
    """Undo what the program sets up in its process for workers (PATH, PYTHONPATH, PYTHONSAFEPATH): it must not be for the next test."""
    after = _copy_environment()
    # Not each of them: setting one takes as long as looking at all.
    changed = {name for name, _ in before.items() ^ after.items()}
    # pytest's own, which changes in every test.
    changed.discard(b"PYTEST_CURRENT_TEST")
    _restore({name: before.get(name) for name in changed})


@pytest.fixture(scope="session")
def digits(request: pytest.FixtureRequest) -> Path:
    """Folder that `pipelines.train` filled with the digits model, held-out shards and labels."""
    return _trained("digits", request)


@pytest.fixture(scope="session")
def breast_cancer(request: pytest.FixtureRequest) -> Path:
    """Folder that `pipelines.train` filled with the breast-cancer model, held-out shards as Parquet and CSV, and labels."""
    return _trained("breast_cancer", request)


# What is learned after so many reaches the accuracy that is asked of the samples, and takes a fifth of the time.
_EPOCHS = {"digits": 6, "breast_cancer": 15}


def _trained(name: str, request: pytest.FixtureRequest) -> Path:
    shared = _session_folder(request.config)
    return built_once(shared / f"trained_{name}", lambda folder: _train(name, folder))


def _train(name: str, folder: Path) -> None:
    from pipelines import train
    from pipelines.cli.command_line import run_program

    config = str(REPOSITORY / f"configs/train_{name}.yaml")
    flags = [
        "--output",
        str(folder / "model"),
        "--set",
        f"held_out={folder}",
        "--set",
        "onnx=false",
        "--set",
        f"training.epochs={_EPOCHS[name]}",
    ]
    # What training prints is no output of the test that happens to need the model first.
    with redirect_stdout(io.StringIO()):
        assert run_program(train.main, ["--config", config, *flags, "--quiet"]) == 0


@pytest.fixture(scope="session")
def programs(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Programs]:
    """Start programs, forked from a process that has imported everything."""
    address = pytestconfig.stash[SERVERS].find(PROGRAMS)
    programs = Programs(tmp_path_factory.mktemp("programs"), address)
    yield programs
    programs.close()


@pytest.fixture
def forked_workers(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker processes of runs in this process are forked: for tests of what they do, and not of how they start."""
    from tests.support.beam_workers import fork_workers

    fork_workers(monkeypatch, tmp_path_factory.mktemp("workers"), programs.address)


@pytest.fixture(scope="session")
def _child_server(pytestconfig: pytest.Config) -> str:
    from tests.support.children import child_environment

    return pytestconfig.stash[SERVERS].find(CHILDREN, child_environment())


@pytest.fixture
def forked_children(_child_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that load libraries' own files are forked, also those of programs: for tests of what they do, and not of how they start."""
    from tests.support.children import fork_children
    from tests.support.fork_server import CHILDREN_ADDRESS

    fork_children(monkeypatch, _child_server)
    monkeypatch.setenv(CHILDREN_ADDRESS, _child_server)


@pytest.fixture
def run_score(tmp_path: Path) -> Callable[..., int]:
    """`pipelines.score` in this process; by default the sample job, quiet, into `tmp_path/scores`."""

    from pipelines import score
    from pipelines.cli.command_line import run_program

    def run(*arguments: str, output: Path | str | None = None) -> int:
        where = tmp_path / "scores" if output is None else output
        return run_program(
            score.main,
            [
                "--config",
                "configs/breast_cancer.yaml",
                "--output",
                str(where),
                "--quiet",
                *arguments,
            ],
        )

    return run
