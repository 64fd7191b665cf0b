"""A made-up project: a bucket in an emulator of Cloud Storage, a service account's key, and programs that run with both."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import socket
import subprocess
import sys
import time
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.dataflow.service import ACCESS_TOKEN, Service
from tests.support.ports import free_port
from tests.support.processes import run_to_its_end
from tests.support.repository import REPOSITORY

BUCKET = "gs://bucket"
IMAGE = "europe-west1-docker.pkg.dev/project/batch-prediction/scorer:0.1.0"
_SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary-aws-key",
    "DATABASE_PASSWORD": "canary-password",
    "PIP_INDEX_URL": "http://u:canary-pip@127.0.0.1:9",
}
_START_SECONDS = 120


@dataclass(frozen=True)
class Cloud:
    """The environment of a process that works in the project."""

    variables: dict[str, str]
    private_key: str

    @property
    def secrets(self) -> list[str]:
        """What must never be in a job or in a staged file."""
        lines = self.private_key.split("\n")
        return [ACCESS_TOKEN, *_SECRETS.values(), lines[1], "canary-"]

    def run(
        self,
        command: Sequence[str],
        folder: Path = REPOSITORY,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, with `more` variables."""
        return run_to_its_end(command, folder, self.environment(more))

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """All variables of a process in the project."""
        return {**os.environ, **self.variables, **(more or {})}

    def objects(self, folder: str) -> dict[str, bytes]:
        """Every object below a folder of the bucket, by path."""
        fs = self._files()
        return {path: fs.cat_file(path) for path in fs.find(f"{BUCKET}/{folder}")}

    def upload(self, source: Path, target: str) -> None:
        """Copy a file or a folder of this disk into the bucket."""
        self._files().put(str(source), f"{BUCKET}/{target}", recursive=source.is_dir())

    def _files(self) -> Any:
        # A second, for which those who only collect tests need not wait.
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(
            endpoint_url=self.variables["STORAGE_EMULATOR_HOST"],
            token="anon",  # noqa: S106
            skip_instance_cache=True,
        )


@contextmanager
def project(service: Service, folder: Path) -> Iterator[Cloud]:
    """The made-up project, with the sample job, its shards and its model in the bucket."""
    key = folder / "key.json"
    private_key = write_account(key, service)
    with _emulator() as address:
        variables = {
            **_SECRETS,
            "STORAGE_EMULATOR_HOST": address,
            "GOOGLE_APPLICATION_CREDENTIALS": str(key),
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # else gcsfs asks the real service what kind of bucket this is
        }
        cloud = Cloud(variables, private_key)
        sample = REPOSITORY / "samples/breast_cancer"
        cloud.upload(sample / "shards", "shards")
        cloud.upload(sample / "model", "model")
        cloud.upload(_job_file(folder), "job.yaml")
        yield cloud


def write_account(path: Path, service: Service) -> str:
    """Write the key file of a service account, for which the stand-in gives tokens; return its private key."""
    private_key = _private_key()
    account = {
        "type": "service_account",
        "client_email": "a@project.iam.gserviceaccount.com",
        "project_id": "project",
    }
    path.write_text(
        json.dumps({**account, "private_key": private_key, "token_uri": f"{service.address}/token"})
    )
    return private_key


def _job_file(folder: Path) -> Path:
    text = (REPOSITORY / "configs/breast_cancer.yaml").read_text()
    sample = "samples/breast_cancer"
    moved = {
        f"{sample}/shards/*.parquet": "shards",
        f"{sample}/model": "model",
        "scores/breast_cancer": "scores",
    }
    for here, there in moved.items():
        assert here in text
        text = text.replace(here, f"{BUCKET}/{there}")
    file = folder / "job.yaml"
    file.write_text(text)
    return file


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key.private_bytes(*form).decode()


@contextmanager
def _emulator() -> Iterator[str]:
    port = free_port()
    command = "from gcp_storage_emulator.server import create_server as c; c('127.0.0.1', {}, in_memory=True, default_bucket='bucket').run()"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", command.format(port)], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(port):
            assert process.poll() is None, "the emulator ended"
            assert time.monotonic() < deadline, "the emulator does not answer"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
