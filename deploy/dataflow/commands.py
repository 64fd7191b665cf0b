"""Print, and do not run, the gcloud commands that build the flex template and start a job from it.

python deploy/dataflow/commands.py template --project=P --region=R --bucket=B
python deploy/dataflow/commands.py run --project=P --region=R --bucket=B --config=gs://B/job.yaml [--gpu]
"""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
import re
import shlex
import sys

_REPOSITORY = Path(__file__).parent.parent.parent
_HERE = "deploy/dataflow"
_REGISTRY = "batch-prediction"
_L4 = "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver:5xx"


def main(argv: Sequence[str]) -> None:
    """Print the commands that the command line asks for."""
    arguments = _parse(argv)
    commands = _template(arguments) if arguments.what == "template" else _run(arguments)
    sys.stdout.write("\n".join(_shown(c) for c in commands) + "\n")


def _template(arguments: argparse.Namespace) -> list[list[str]]:
    """Once per project: the services and the registry. Once per version: the image, and the template that names it."""
    project = f"--project={arguments.project}"
    services = [f"{name}.googleapis.com" for name in ("dataflow", "artifactregistry", "cloudbuild")]
    image = _image(arguments)
    return [
        ["gcloud", "services", "enable", *services, project],
        [
            *("gcloud", "artifacts", "repositories", "create", _REGISTRY),
            "--repository-format=docker",
            *_place(arguments, "location"),
        ],
        [
            *("gcloud", "builds", "submit", "."),
            f"--config={_HERE}/cloudbuild.yaml",
            f"--substitutions=_IMAGE={image}",
            project,
        ],
        [
            *(
                "gcloud",
                "dataflow",
                "flex-template",
                "build",
                _template_file(arguments),
                f"--image={image}",
                "--sdk-language=PYTHON",
            ),
            *(f"--metadata-file={_HERE}/metadata.json", project),
        ],
    ]


def _run(arguments: argparse.Namespace) -> list[list[str]]:
    """One job, on machines with 4 cores: with 16 GB, or with a GPU."""
    parameters = {
        "config": arguments.config,
        "input": arguments.input,
        "model": arguments.model,
        "output": arguments.output,
        "sdk_container_image": _image(arguments),
        "disk_size_gb": "50",
    }
    if arguments.gpu:
        parameters |= {"set": "model.device=cuda", "dataflow_service_options": _L4}
    bucket = f"gs://{arguments.bucket}"
    machine = "g2-standard-4" if arguments.gpu else "n2-standard-4"
    return [
        [
            *(
                "gcloud",
                "dataflow",
                "flex-template",
                "run",
                f"batch-prediction-{datetime.now(UTC):%Y%m%d-%H%M%S}",
            ),
            f"--template-file-gcs-location={_template_file(arguments)}",
            *_place(arguments, "region"),
            *(f"--staging-location={bucket}/staging", f"--temp-location={bucket}/temp"),
            *(
                f"--worker-machine-type={machine}",
                "--num-workers=2",
                "--max-workers=10",
                "--launcher-machine-type=n1-standard-2",
            ),
            *(_parameter(name, value) for name, value in parameters.items() if value),
        ]
    ]


def _parameter(name: str, value: str) -> str:
    """One `--parameters`; gcloud splits a value at commas unless another delimiter is named."""
    return f"--parameters={'^~^' if ',' in value else ''}{name}={value}"


def _place(arguments: argparse.Namespace, kind: str) -> tuple[str, str]:
    return f"--{kind}={arguments.region}", f"--project={arguments.project}"


def _image(arguments: argparse.Namespace) -> str:
    return f"{arguments.region}-docker.pkg.dev/{arguments.project}/{_REGISTRY}/scorer:{_version()}"


def _template_file(arguments: argparse.Namespace) -> str:
    return f"gs://{arguments.bucket}/templates/{_REGISTRY}-{_version()}.json"


def _version() -> str:
    found = re.search(r'version="([^"]+)"', (_REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    assert found is not None  # noqa: S101 - our own file
    return found[1]


def _shown(command: Sequence[str]) -> str:
    """A command for a POSIX shell, a flag per line."""
    words = [shlex.quote(word) for word in command]
    flags = next(i for i, word in enumerate(words) if word.startswith("--"))
    return " \\\n    ".join([" ".join(words[:flags]), *words[flags:]])


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python {_HERE}/commands.py", allow_abbrev=False)
    what = parser.add_subparsers(dest="what", required=True)
    for name in ("template", "run"):
        command = what.add_parser(name, allow_abbrev=False)
        for flag, pattern in (
            ("--project", r"[a-z0-9.:-]+"),
            ("--region", r"[a-z]+-[a-z]+[0-9]+"),
            ("--bucket", r"[a-z0-9._-]+"),
        ):
            command.add_argument(flag, required=True, type=_matching(pattern))
    command.add_argument(
        "--config",
        required=True,
        type=_matching(r"gs://\S+\.ya?ml"),
        help="the job, in Cloud Storage",
    )
    for flag in ("--input", "--model", "--output"):
        command.add_argument(
            flag, type=_matching(r"(gs://\S+)?"), help="instead of the job's; empty is the job's"
        )
    command.add_argument("--gpu", action="store_true", help="machines with an NVIDIA L4")
    return parser.parse_args(argv)


def _matching(pattern: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} does not match {pattern}")
        return text

    return checked


if __name__ == "__main__":
    main(sys.argv[1:])
