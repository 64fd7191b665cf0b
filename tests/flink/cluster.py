"""A real standalone Flink cluster on loopback: a JobManager, two TaskManagers, for each of those a pool of Python workers, a job server.

Every process is a child in the foreground with a process group of its own, so that it can be killed and ended by its own id.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.request import urlopen

from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
import psutil
import yaml

from pipelines.runners.options import runner_options
from tests.flink.pool import noted_workers
from tests.support.ports import free_port
from tests.support.repository import REPOSITORY

SLOTS_EACH = 2
# Each TaskManager stands for a machine, with a loopback address that its own pool listens on.
MACHINES = {"tm-0": "127.0.0.2", "tm-1": "127.0.0.3"}
_START_SECONDS = 180
_STOP_SECONDS = 20
_BLOB_SECONDS = 5
# A Java process that lives for a minute spends most of it on optimising itself.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# A child that lost the test that started it must not live on.
_ENDS_WITH_ME = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


@dataclass
class Machine:
    """A TaskManager, and the Python workers that its pool in the cluster's `folder` starts."""

    name: str
    folder: Path
    task_manager: subprocess.Popen[bytes]

    def workers(self) -> list[psutil.Process]:
        """Its Python workers that run now."""
        found = []
        for pid in noted_workers(self.folder, self.name):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                found += [process] if process.status() != psutil.STATUS_ZOMBIE else []
        return found


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: configuration and logs.
        master: `host:port` of its REST API, for --flink_master.
        pool: `host:port` of the pool, for --environment_config; on every machine the host is another.
        machines: by resource id of the TaskManager.
        stack: what ends with the cluster.
    """

    home: Path
    folder: Path
    master: str
    pool: str
    machines: dict[str, Machine] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def flags(self) -> list[str]:
        """What a user gives to run on it."""
        external = ("--environment_type=EXTERNAL", f"--environment_config={self.pool}")
        return ["--runner=FlinkRunner", f"--flink_master={self.master}", *external]

    def ask(self, path: str) -> Any:
        """What its REST API answers to GET."""
        with urlopen(f"http://{self.master}{path}", timeout=60) as answer:
            return json.load(answer)

    def jobs(self) -> list[tuple[str, str]]:
        """Ids and states of all its jobs, oldest first."""
        return [
            (j["jid"], j["state"])
            for j in sorted(self.ask("/jobs/overview")["jobs"], key=lambda j: j["start-time"])
        ]

    def restarts(self, job: str) -> int:
        """How often a job was started again."""
        places = [f"/jobs/{job}/vertices/{v['id']}" for v in self.ask(f"/jobs/{job}")["vertices"]]
        return max(
            subtask["attempt"] for place in places for subtask in self.ask(place)["subtasks"]
        )

    def records_read(self, job: str, word: str) -> dict[str, int]:
        """Records that vertices with this word in their name got in the last attempt, by TaskManager."""
        read: dict[str, int] = {}
        for vertex in self.ask(f"/jobs/{job}")["vertices"]:
            if word in vertex["name"]:
                for place in self.ask(f"/jobs/{job}/vertices/{vertex['id']}/taskmanagers")[
                    "taskmanagers"
                ]:
                    name = place["taskmanager-id"]
                    read[name] = read.get(name, 0) + place["metrics"]["read-records"]
        return read

    def start_task_manager(self, name: str) -> None:
        """Start a machine's TaskManager: the first one, or another where that one was lost."""
        hosts = self.folder / f"{name}.hosts"
        hosts.write_text(
            f"127.0.0.1 localhost {socket.gethostname()}\n{MACHINES[name]} {self.pool.partition(':')[0]}\n"
        )
        options = {"FLINK_ENV_JAVA_OPTS_TM": f"-Djdk.net.hosts.file={hosts}"}
        process = _flink(
            self, name, "taskmanager.sh", "-D", f"taskmanager.resource-id={name}", env=options
        )
        self.machines[name] = Machine(name, self.folder, self.stack.enter_context(process))

    def wait_until_ready(self) -> None:
        """Wait until every slot is free and every pool listens."""
        wait_until(self.ready, _START_SECONDS, f"the cluster is ready: see {self.folder}")

    def ready(self) -> bool:
        """Whether every slot is free and every pool listens."""
        port = int(self.pool.rpartition(":")[2])
        try:
            free = self.ask("/overview")["slots-available"]
        except OSError:
            return False
        return free == SLOTS_EACH * len(MACHINES) and all(
            listens(host, port) for host in MACHINES.values()
        )


@contextmanager
def running_cluster(home: Path, folder: Path, forks: str) -> Iterator[Cluster]:
    """Start a cluster, and leave nothing of it behind.

    Args:
        home: of Flink.
        folder: for its configuration and logs.
        forks: socket of the server that pools fork their workers from.
    """
    rest, rpc, blob = (free_port() for _ in range(3))
    pool = free_port("0.0.0.0")  # noqa: S104 - any address
    cluster = Cluster(home, folder, f"localhost:{rest}", f"worker-pool:{pool}")
    _configure(home, folder / "conf", rest, rpc, blob)
    port = cluster.pool.partition(":")[2]
    pools = [
        sys.executable,
        "-m",
        "tests.flink.pool",
        str(folder),
        forks,
        *(f"{name}={host}:{port}" for name, host in MACHINES.items()),
    ]
    with cluster.stack as stack:
        job_manager = stack.enter_context(_flink(cluster, "jobmanager", "jobmanager.sh"))
        stack.enter_context(_started(pools, folder, "pools"))
        for name in MACHINES:
            cluster.start_task_manager(name)
        wait_until(
            lambda: cluster.ready() or job_manager.poll() is not None,
            _START_SECONDS,
            f"the cluster is up: see {folder}",
        )
        assert job_manager.poll() is None, f"the JobManager ended: see {folder}"
        yield cluster


@contextmanager
def running_job_server(jar: str, folder: Path) -> Iterator[str]:
    """Start the job server that Beam would start for each run, and give the flag with which runs use this one.

    Args:
        jar: the flag that names its jar.
    """
    port = free_port()
    artifacts = folder / "artifacts"
    ours = [f"--job_server_jvm_properties={word}" for word in _SHORT_LIVED]
    options = runner_options(
        "FlinkRunner", [jar, f"--job_port={port}", f"--artifacts_dir={artifacts}", *ours]
    )
    command, address = FlinkJarJobServer(options).subprocess_cmd_and_endpoint()
    with _started([str(word) for word in command], folder, "job-server") as process:
        wait_until(
            lambda: listens("localhost", port) or process.poll() is not None,
            _START_SECONDS,
            f"it listens: see {folder}",
        )
        assert process.poll() is None, f"the job server ended: see {folder}"
        yield f"--job_endpoint={address}"


def listens(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Look often until it is so, and fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s it is still not so that {what}"
        time.sleep(0.05)


def stop_group(process: subprocess.Popen[Any]) -> None:
    """End a process that was started in a session of its own, and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _configure(home: Path, conf: Path, rest: int, rpc: int, blob: int) -> None:
    """Flink's own configuration with what is different here: ports, loopback, and a dead TaskManager noticed within seconds."""
    shutil.copytree(home / "conf", conf)
    opened = yaml.safe_load((conf / "config.yaml").read_text())["env"]["java"]["opts"]["all"]
    settings = {
        "env.java.opts.all": " ".join([opened, *_SHORT_LIVED]),
        "rest": {"address": "localhost", "bind-address": "localhost", "port": rest},
        "blob.server.port": blob,
        "jobmanager": {
            "rpc": {"address": "localhost", "port": rpc},
            "bind-host": "localhost",
            "memory.process.size": "1g",
        },
        "taskmanager": {
            "host": "localhost",
            "bind-host": "localhost",
            "memory.process.size": "1400m",
        },
        "taskmanager.numberOfTaskSlots": SLOTS_EACH,
        "cluster.evenly-spread-out-slots": True,
        # Two heartbeats that nobody receives tell of a dead process; one that is only slow has a minute to answer.
        "heartbeat": {"interval": 500, "timeout": 60_000},
        # A restart that comes before a lost TaskManager is noticed, within two seconds, asks that one for slots: there is
        # another then, and one more for a busy machine. A refused run is tried as often.
        "restart-strategy": {"type": "fixed-delay", "fixed-delay": {"attempts": 3, "delay": "2 s"}},
        "io.tmp.dirs": str(conf.parent),
        # Each job brings its jar of 160 MB, which every TaskManager would keep for an hour.
        "blob.service.cleanup.interval": _BLOB_SECONDS,
    }
    (conf / "config.yaml").write_text(yaml.safe_dump(settings, width=10_000))


@contextmanager
def _flink(
    cluster: Cluster, name: str, script: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """One of Flink's own scripts in the foreground; it ends as the Java process itself."""
    folder = str(cluster.folder)
    places = {"FLINK_CONF_DIR": f"{folder}/conf", "FLINK_LOG_DIR": folder, "FLINK_PID_DIR": folder}
    command = [str(cluster.home / "bin" / script), "start-foreground", *arguments]
    # Workers that a TaskManager starts leave a file where it stands.
    with _started(
        command, cluster.folder, name, {**places, **(env or {})}, stands_in=cluster.folder
    ) as process:
        yield process


@contextmanager
def _started(
    command: Sequence[str],
    folder: Path,
    name: str,
    env: Mapping[str, str] | None = None,
    stands_in: Path = REPOSITORY,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, with its output in a file; the whole group ends with the block."""
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ["PATH"]]
    )  # pools start workers as `python`
    with open(folder / f"{name}.out", "ab") as out:
        process = subprocess.Popen(
            [*_ENDS_WITH_ME, *command],
            cwd=stands_in,
            env={**os.environ, "PATH": path, **(env or {})},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop_group(process)
