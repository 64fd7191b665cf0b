"""The Dockerfile, as far as it can be followed without an engine: sources, versions, and what must not be in it."""

import ast
from pathlib import PurePosixPath
import re

import pytest

from tests.dataflow.dockerfile import DOCKERFILE, copied, instructions, sent_to_builder
from tests.installation.locks import IMAGE, RUNTIME, entries, environments
from tests.support.repository import REPOSITORY

TAGGED = re.compile(r"^[a-z0-9./_-]+:[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*$")


def arguments(name: str) -> list[str]:
    return [text for instruction, text in instructions() if instruction == name]


def environment() -> dict[str, str]:
    return dict(text.split("=", 1) for text in arguments("ENV"))


def locked() -> dict[str, str]:
    """Version by name of everything that the image's own lock installs."""
    image = environments()["Python 3.11, Linux x86-64"]
    return {entry.name: entry.version for entry in entries(IMAGE) if entry.is_active(image)}


def test_every_image_is_pinned_and_of_one_python() -> None:
    images = [text.split()[0] for text in arguments("FROM")]
    assert len(images) == 3
    for image in images:
        assert TAGGED.match(image), image
        assert "3.11" in image or "python311" in image


def test_the_worker_is_of_the_locked_beam() -> None:
    assert f"apache/beam_python3.11_sdk:{locked()['apache-beam']} AS sdk" in arguments("FROM")


@pytest.mark.parametrize("package", ["google-cloud-dataflow-client", "gcsfs", "setuptools"])
def test_the_lock_has_what_dataflow_needs(package: str) -> None:
    assert package in locked()


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
    rooms = re.search(r"^ROOMS = (\[.*\])$", (REPOSITORY / "setup.py").read_text(), re.MULTILINE)
    assert rooms is not None
    assert sorted(ast.literal_eval(rooms[1])) == sorted(
        source for source, target in copied(instructions()) if "." not in source
    )


def test_the_program_of_the_launcher_is_copied() -> None:
    program = PurePosixPath(environment()["FLEX_TEMPLATE_PYTHON_PY_FILE"])
    inside = str(program.relative_to(arguments("WORKDIR")[0]))
    assert (REPOSITORY / inside).is_file()
    assert inside.partition("/")[0] in {target for _, target in copied(instructions())}


def test_pip_resolves_nothing_and_installs_only_what_is_locked() -> None:
    installs = [
        part.strip()
        for text in arguments("RUN")
        for part in text.split("&&")
        if "pip install" in part
    ]
    assert all(
        {"--no-deps", "--no-build-isolation"} <= set(install.split()) for install in installs
    )
    assert ["--require-hashes" in install for install in installs] == [True, True, False]
    assert installs[-1].endswith(" .")
    sources = {target: source for source, target in copied(instructions())}
    assert [
        sources[name]
        for install in installs
        for name in re.findall(r"--requirement (\S+)", install)
    ] == [RUNTIME, IMAGE]


def test_what_has_no_wheel_is_built_with_the_locked_setuptools() -> None:
    """It is there before: the lock that is installed first brings it, and takes nothing but wheels."""
    first = next(text for text in arguments("RUN") if "pip install" in text).partition("&&")[0]
    assert "--only-binary :all:" in first
    assert "setuptools" in {entry.name for entry in entries(RUNTIME)}


def test_the_image_is_checked_after_every_install() -> None:
    assert all(text.endswith("pip check") for text in arguments("RUN"))


def test_the_image_starts_workers() -> None:
    assert arguments("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert any("/opt/apache/beam" in text for text in arguments("COPY"))


def test_no_secret_and_no_download_by_hand() -> None:
    text = DOCKERFILE.read_text().lower()
    for word in ("password", "token", "secret", "credential", "curl", "wget", "apt-get", "latest"):
        assert word not in text, word
    assert not arguments("ADD")
    assert not arguments("ARG")
