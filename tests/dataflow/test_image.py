"""The Dockerfile, as far as it can be followed without an engine: sources, versions, and what must not be in it."""

import ast
from pathlib import PurePosixPath
import re

import pytest

from tests.conftest import REPOSITORY
from tests.dataflow.dockerfile import DOCKERFILE, copied, instructions, sent_to_builder

TAGGED = re.compile(r"^[a-z0-9./_-]+:[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*$")


def arguments(name: str) -> list[str]:
    return [text for instruction, text in instructions() if instruction == name]


def environment() -> dict[str, str]:
    return dict(text.split("=", 1) for text in arguments("ENV"))


def locked(package: str) -> str:
    found = re.search(rf"^{re.escape(package)}==([^\s;]+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert found is not None, f"requirements.lock has no {package}"
    return found[1]


def test_every_image_is_pinned_and_of_one_python() -> None:
    images = [text.split()[0] for text in arguments("FROM")]
    assert len(images) == 3
    for image in images:
        assert TAGGED.match(image), image
        assert "3.11" in image or "python311" in image


def test_the_worker_is_of_the_locked_beam() -> None:
    assert f"apache/beam_python3.11_sdk:{locked('apache-beam')} AS sdk" in arguments("FROM")


@pytest.mark.parametrize("package", ["google-cloud-dataflow-client", "gcsfs", "setuptools"])
def test_the_lock_has_what_dataflow_needs(package: str) -> None:
    assert locked(package)


def test_every_copied_path_is_there_and_sent() -> None:
    for source, _ in copied(instructions()):
        assert (REPOSITORY / source).exists(), source
        assert sent_to_builder(source), source
    assert not sent_to_builder(".git")
    assert not sent_to_builder("scores")


def test_every_stage_that_is_copied_from_is_named() -> None:
    stages = [text.split(" AS ")[1] for text in arguments("FROM") if " AS " in text]
    sources = [re.match(r"--from=(\S+)", text) for text in arguments("COPY")]
    assert sorted(found[1] for found in sources if found) == sorted(stages)


def test_the_image_holds_every_package_of_setup() -> None:
    packages = re.search(r"packages=(\[.*\])", (REPOSITORY / "setup.py").read_text())
    assert packages is not None
    assert sorted(ast.literal_eval(packages[1])) == sorted(source for source, target in copied(instructions()) if "." not in source)


def test_the_program_of_the_launcher_is_copied() -> None:
    program = PurePosixPath(environment()["FLEX_TEMPLATE_PYTHON_PY_FILE"])
    inside = str(program.relative_to(arguments("WORKDIR")[0]))
    assert (REPOSITORY / inside).is_file()
    assert inside.partition("/")[0] in {target for _, target in copied(instructions())}


def test_pip_installs_only_what_is_locked() -> None:
    installs = [part.strip() for text in arguments("RUN") for part in text.split("&&") if "pip install" in part]
    assert [("--require-hashes" in i, "--no-deps" in i) for i in installs] == [(True, False), (False, True)]
    names = {target for _, target in copied(instructions())}
    assert {m for i in installs for m in re.findall(r"--requirement (\S+)", i)} <= names


def test_the_image_starts_workers() -> None:
    assert arguments("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert any("/opt/apache/beam" in text for text in arguments("COPY"))


def test_no_secret_and_no_download_by_hand() -> None:
    text = DOCKERFILE.read_text().lower()
    for word in ("password", "token", "secret", "credential", "curl", "wget", "apt-get", "latest"):
        assert word not in text, word
    assert not arguments("ADD")
    assert not arguments("ARG")
