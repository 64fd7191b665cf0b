"""docs/your_model.md: each section's files and commands, as they are written, by somebody who has nothing else."""

from collections.abc import Iterator
from importlib.util import find_spec
import os
from pathlib import Path
import re
import shlex

import pytest

from tests.support.exporting import EXPORTS
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PAGE = REPOSITORY / "docs/your_model.md"
# "`name.py`, what it is:" and then a block of code.
_FILE = re.compile(r"`([\w.]+\.(?:py|yaml))`[^\n]*(?:\n[^\n]+)*:\n\n((?:    [^\n]*\n|\n)+)")
_COMMAND = re.compile(r"^    ((?:PYTHONPATH=\. )?python [^\n]+)$", re.MULTILINE)
# A section of a network of a library needs that library.
_NEEDS = {
    "other engines": "onnxscript",
    "ONNX": "onnxruntime",
    "TorchScript": "onnxscript",
    "Keras": "keras",
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


def sections() -> Iterator[tuple[str, str]]:
    """Yield heading and text of every section that shows a command."""
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        if _COMMAND.search(text):
            yield heading, text


SECTIONS = dict(sections())


@pytest.mark.program
@pytest.mark.slow
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


def test_the_page_shows_what_it_says() -> None:
    assert len(SECTIONS) >= 2
    for heading, text in SECTIONS.items():
        named = set(re.findall(r"python (\w+\.py)", text))
        assert named <= {name for name, _ in _FILE.findall(text)}, heading
