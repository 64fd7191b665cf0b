"""Where the files of a run stand, and what readers follow: CURRENT -> manifest -> files.

OUTPUT/CURRENT                        id of the run to read
OUTPUT/current                        symbolic link to its folder (local disks)
OUTPUT/runs/<run_id>/manifest.json    every file with rows, bytes, sha256; written last
OUTPUT/runs/<run_id>/part-...         scored rows
OUTPUT/runs/<run_id>/rejected/...     rejected rows
OUTPUT/_tmp/<run_id>/                 plan, attempts, done-records, progress; removed once published
"""

from dataclasses import dataclass
import json
from typing import Any

from configs.errors import VerifyError
from storage import files


@dataclass(frozen=True)
class RunFolder:
    """The places of one run below an output."""

    output: str
    run_id: str

    @property
    def published(self) -> str:
        return files.join(self.output, f"runs/{self.run_id}")

    @property
    def manifest(self) -> str:
        return f"{self.published}/manifest.json"

    @property
    def temporary(self) -> str:
        return files.join(self.output, f"_tmp/{self.run_id}")

    @property
    def plan(self) -> str:
        return f"{self.temporary}/plan.json"

    @property
    def attempts(self) -> str:
        return f"{self.temporary}/attempts"

    @property
    def done(self) -> str:
        return f"{self.temporary}/done"

    @property
    def progress(self) -> str:
        return f"{self.temporary}/progress"

    @property
    def lock(self) -> str:
        """Held by the run's launchers as long as they live (local disks)."""
        return f"{self.temporary}/launcher.lock"

    def done_record(self, unit: int) -> str:
        """The record that a unit is complete."""
        return f"{self.done}/{unit:07d}.json"


def current_run(output: str) -> str | None:
    """Id of the run that readers should use, or None when nothing is published."""
    content = files.read(files.join(output, "CURRENT"))
    return content.decode().strip() if content else None


def read_manifest(output: str, run_id: str | None = None) -> tuple[RunFolder, dict[str, Any]]:
    """Folder and manifest of a published run, by default the current one.

    Raises:
        VerifyError: nothing is published there, or the manifest cannot be read.
    """
    run_id = run_id or current_run(output)
    if run_id is None:
        raise VerifyError(f"{output}: nothing is published there (no CURRENT); run pipelines.score with --output {output}")
    folder = RunFolder(files.absolute(output), run_id)
    content = files.read(folder.manifest)
    if content is None:
        raise VerifyError(f"{output}: CURRENT names run {run_id}, but {folder.manifest} is missing; publish the run again")
    try:
        manifest: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise VerifyError(f"{folder.manifest}: not valid JSON: {error}") from error
    return folder, manifest
