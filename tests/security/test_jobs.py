"""What a job file can do: values of its own size, and functions that its author wrote. Nothing else is imported or called."""

from collections.abc import Callable
import hashlib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
import re
import subprocess
import sys
import time

import pytest

from configs.errors import JobError
from configs.load import load, parse_set
from configs.safe_yaml import NotPlainYaml, parse_yaml
from configs.user_code import OUR_PACKAGES, why_not
from model_zoo.steps.function import Function
from model_zoo.steps.table import apply_steps
from pipelines.planning.jobs import ScoringJob
from tests.security.refusals import Shown, refused
from tests.security.yaml_bombs import BOMBS
from tests.support.builders import tiny_package
from tests.support.repository import REPOSITORY

Score = Callable[..., Shown]
GOOD = "name: a\nsource: {paths: x}\nmodel: {package: m}\nsink: {path: s}\n"
OBJECTS = [
    "!!python/object/apply:os.system ['touch canary']",
    "!!python/object/new:os.system ['touch canary']",
    "!!python/name:os.system",
    "!!python/module:antigravity",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch canary']",
]
NOT_WHAT_THEY_LOOK_LIKE = [
    "2024-06-31",
    "9" * 5_000,
    "!!int ''",
    "!!timestamp x",
    "!!bool x",
    "!!map [a]",
    "!!float ''",
]


def problem(text: str, folder: Path) -> str:
    (folder / "job.yaml").write_text(text)
    began = time.monotonic()
    with pytest.raises(JobError) as caught:
        load(ScoringJob, str(folder / "job.yaml"))
    assert time.monotonic() - began < 30
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000
    return str(caught.value)


@pytest.mark.parametrize("text", OBJECTS)
def test_yaml_makes_no_objects(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "not valid YAML" in problem(f"{GOOD}errors: {text}\n", tmp_path)
    with pytest.raises(JobError, match="not valid YAML"):
        load(
            ScoringJob, str(REPOSITORY / "configs/breast_cancer.yaml"), [parse_set(f"name={text}")]
        )
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("kind", BOMBS)
def test_a_few_lines_do_not_stand_for_a_billion_values(kind: str, tmp_path: Path) -> None:
    message = problem(GOOD + BOMBS[kind], tmp_path)
    assert "job.yaml: " in message


@pytest.mark.parametrize("kind", ["deep", "itself"])
def test_nor_does_a_value_of_set(kind: str) -> None:
    value = BOMBS[kind].removeprefix("a: ")
    with pytest.raises(JobError, match=r"--set source\.paths: not valid YAML"):
        load(ScoringJob, "configs/breast_cancer.yaml", [parse_set(f"source.paths={value}")])


@pytest.mark.parametrize("nesting", ["[", "{a: ", "- ", "? ", "a:\n"])
def test_ten_thousand_levels_end_in_one_plain_line(nesting: str, tmp_path: Path) -> None:
    text = "".join(" " * i + nesting for i in range(300)) if nesting == "a:\n" else nesting * 10_000
    assert "nested deeper than 64 levels" in problem(text, tmp_path)


@pytest.mark.parametrize("text", NOT_WHAT_THEY_LOOK_LIKE)
def test_a_value_that_yaml_cannot_make_is_refused(text: str, tmp_path: Path) -> None:
    assert "not valid YAML" in problem(f"{GOOD}errors: {text}\n", tmp_path)


def test_long_texts_count_when_they_are_repeated() -> None:
    with pytest.raises(NotPlainYaml, match="with every alias written out"):
        parse_yaml(f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 500)}]")
    assert len(parse_yaml(f"a: &a {'x' * 100}\nb: [{', '.join(['*a'] * 500)}]")["b"]) == 500


REFUSED = {
    "os:system": "os is Python's own",
    "os.path:join": "os is Python's own",
    "builtins:eval": "builtins is Python's own",
    "subprocess:call": "subprocess is Python's own",
    "__main__:main": "__main__ is",
    "pipelines.prune:main": "pipelines is a package of this program",
    "storage.files:remove": "storage is a package of this program",
    "torch:load": "torch is a library",
    "numpy:load": "numpy is a library",
    "pandas:read_pickle": "pandas is a library",
    "joblib:load": "joblib is a library",
    "pyarrow.fs:LocalFileSystem": "pyarrow is a library",
    "fsspec:open": "fsspec is a library",
    "sklearn.utils:shuffle": "sklearn is a library",
    "apache_beam.internal.pickler:loads": "apache_beam is a library",
    "cloudpickle:loads": "cloudpickle is a library",
    "yaml:load": "yaml is a library",
    "pip:main": "pip is a library",
    "pkg:sub.__globals__": "should match pattern",
    "pkg:__import__": "should match pattern",
    "pkg:_f": "should match pattern",
    "pkg.__init__:f\n": "should match pattern",
}


def function_step(function: str) -> list[str]:
    module = function.partition(":")[0]
    return [
        "--set",
        f"preprocess.modules=[{module!r}]",
        "--set",
        f"preprocess.steps=[{{step: function, function: {function!r}}}]",
    ]


@pytest.mark.parametrize("function", REFUSED)
def test_a_function_that_is_not_the_users_is_refused_by_its_name(function: str) -> None:
    overrides = [
        parse_set(word) for word in function_step(function.replace("\n", "\\n")) if word != "--set"
    ]
    overrides = [(key, value.replace("'", '"')) for key, value in overrides]
    with pytest.raises(JobError) as caught:
        load(ScoringJob, "configs/breast_cancer.yaml", overrides)
    assert REFUSED[function] in str(caught.value)


@pytest.mark.program
def test_it_is_refused_before_anything_is_imported() -> None:
    """In a fresh interpreter: neither the module, nor the package above it, is loaded by being refused."""
    code = """
import sys
from model_zoo.steps.function import Function
for module in ("antigravity", "sklearn.utils", "torch.hub", "xmlrpc.client"):
    try:
        Function(step="function", function=module + ":f")
    except ValueError as error:
        assert "name a function that you wrote" in str(error), error
    else:
        raise SystemExit(module + " was taken")
    assert module.split(".")[0] not in sys.modules, module
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


@pytest.mark.parametrize("name", ["system", "ran", "evaluate", "bound", "Steps", "add_total", "np"])
def test_a_name_in_a_users_module_must_be_a_function_that_it_defines(name: str) -> None:
    step = Function(step="function", function=f"tests.security.my_steps:{name}")
    with pytest.raises(JobError, match=r"is not a function that tests\.security\.my_steps defines"):
        apply_steps((step,), {}, 0)


def test_a_run_refuses_a_name_that_only_looks_like_a_function(
    score_with: Score, tmp_path: Path
) -> None:
    line = refused(
        score_with(
            tiny_package(tmp_path / "model"), *function_step("tests.security.my_steps:system")
        ),
        2,
    )
    assert "is not a function that tests.security.my_steps defines" in line


def test_a_users_own_function_is_called(score_with: Score, tmp_path: Path) -> None:
    steps = function_step("tests.security.my_steps:zero")
    assert score_with(tiny_package(tmp_path / "model"), *steps)[0] == 0


def test_a_package_cannot_call_what_a_job_could_not(score_with: Score, tmp_path: Path) -> None:
    step = b'[{"step": "function", "function": "os:system"}]'
    package = tiny_package(tmp_path / "model", steps=(), contents={})
    card = Path(package) / "model.yaml"
    (Path(package) / "preprocess.json").write_bytes(step)
    text = card.read_text()
    old = re.search(r"preprocess.json:\n\s+sha256: (\w+)\n\s+bytes: (\d+)", text)
    assert old is not None
    entry = (
        old.group()
        .replace(old.group(1), hashlib.sha256(step).hexdigest())
        .replace(f"bytes: {old.group(2)}", f"bytes: {len(step)}")
    )
    card.write_text(text.replace(old.group(), entry))
    line = refused(score_with(package, "--set", "preprocess.modules=[os]"))
    assert "os is Python's own" in line


def test_everything_that_setup_py_asks_for_is_refused() -> None:
    text = (REPOSITORY / "setup.py").read_text()
    asked = set(re.findall(r'"([a-z0-9-]+)[>=\[]', text.partition("EXTRAS")[0]))
    extras = {"s3fs", "gcsfs", "torchvision", "tokenizers"}  # they need not be installed
    assert {"apache-beam", "torch", *extras} <= asked
    stated = [re.match(r"[\w.-]+", line) for line in requires("columnar-batch-prediction") or ()]
    assert asked <= {name.group() for name in stated if name is not None}
    refused_of = set[str]()
    for module, names in packages_distributions().items():
        # What is compiled of a library's only file at the top, matplotlib's pylab for example.
        if module == "__pycache__":
            continue
        ours = asked & {name.lower().replace("_", "-") for name in names}
        if module.isidentifier() and ours:
            assert why_not(module) == f"{module} is a library that this program needs"
            refused_of |= ours
    assert asked - refused_of <= extras
    packages = re.search(r"ROOMS = \[(.*)\]", text)
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages.group(1))) == set(OUR_PACKAGES)
