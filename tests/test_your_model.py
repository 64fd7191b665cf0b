"""docs/your_model.md, the pages beside it, and docs/engines.md: each section's files and commands, as they are written, by somebody who has nothing else."""

from collections.abc import Iterator
from importlib.util import find_spec
import os
from pathlib import Path
import re
import shlex

import numpy as np
import pytest

from tests.support.exporting import EXPORTS
from tests.support.fork_servers import SCRIPTS, SERVERS
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY
from tests.support.tflite_models import linear_model

PAGES = (*sorted(REPOSITORY.glob("docs/your_model*.md")), REPOSITORY / "docs/engines.md")
# "`name.py`, what it is:" and then a block of code.
_FILE = re.compile(r"`([\w.]+\.(?:py|yaml))`[^\n]*(?:\n[^\n]+)*:\n\n((?:    [^\n]*\n|\n)+)")
_COMMAND = re.compile(r"^    ((?:PYTHONPATH=\. )?python [^\n]+)$", re.MULTILINE)
# A section of a network of a library needs that library.
_NEEDS = {
    "other engines": "onnxscript",
    "ONNX": "onnxruntime",
    "TorchScript": "onnxscript",
    "Keras": "keras",
    "file of LiteRT": "ai_edge_litert",
    "scikit-learn": "skl2onnx",
    "XGBoost": "xgboost",
    "LightGBM": "lightgbm",
    "Thirty columns": "xgboost",
    "torchvision": "torchvision",
    "pictures": "torchvision",
    "timm": "timm",
    "torch_geometric": "torch_geometric",
    "Hugging Face": "transformers",
}
# What the file that the page supposes multiplies with: three numbers, two logits.
_CHURN = np.float32([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]])


def sections() -> Iterator[tuple[str, str]]:
    """Yield heading and text of every section that shows a command."""
    for page in PAGES:
        for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
            heading, _, text = section.partition("\n")
            if _COMMAND.search(text):
                yield heading, text


FOUND = list(sections())
SECTIONS = dict(FOUND)


@pytest.fixture(scope="module")
def programs(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Programs]:
    """Start scripts and programs, forked from a process that has imported the libraries of models."""
    address = pytestconfig.stash[SERVERS].find_forked(SCRIPTS)
    programs = Programs(tmp_path_factory.mktemp("programs"), address)
    yield programs
    programs.close()


@pytest.mark.slow
@pytest.mark.usefixtures("forked_children")
@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_works_as_it_is_written(heading: str, programs: Programs, tmp_path: Path) -> None:
    for word, library in _NEEDS.items():
        # Not imported: Keras would start a backend here.
        if word in heading and find_spec(library) is None:
            pytest.skip(f"needs {library}")
    text = SECTIONS[heading]
    for name, block in _FILE.findall(text):
        lines = [line.removeprefix("    ") for line in block.splitlines()]
        (tmp_path / name).write_text("\n".join(lines).strip() + "\n")
    if "file of LiteRT" in heading:
        # Who has one made it with TensorFlow, which is not installed here.
        (tmp_path / "churn.tflite").write_bytes(linear_model(_CHURN))
    shown = _COMMAND.findall(text)
    for command in shown:
        words = shlex.split(command)
        environment = dict(os.environ)
        if "other engines" in heading:
            environment |= EXPORTS
        if words[0] == "PYTHONPATH=.":
            words = words[1:]
            environment["PYTHONPATH"] = str(tmp_path)
        status, told = _run(words[1:], tmp_path, environment, programs)
        assert status == 0, (command, told)
    assert any("pipelines.score" in command for command in shown)


def _run(
    words: list[str], folder: Path, environment: dict[str, str], programs: Programs
) -> tuple[int, str]:
    if words[0] == "-m":
        module, *arguments = words[1:]
    else:
        # The user's own script: forked too, since most of it would be the imports of torch and pandas.
        script, *arguments = words
        module = script.removesuffix(".py")
        environment = {**environment, "PYTHONPATH": str(folder)}
    run = programs.run(module, *arguments, cwd=folder, env=environment)
    return run.returncode, run.stderr


def test_no_two_sections_have_one_heading() -> None:
    """By which a section is run: of two, one would be left out."""
    assert len(SECTIONS) == len(FOUND) >= 14


def test_the_pages_show_what_they_say() -> None:
    for heading, text in SECTIONS.items():
        named = set(re.findall(r"python (\w+\.py)", text))
        assert named <= {name for name, _ in _FILE.findall(text)}, heading
