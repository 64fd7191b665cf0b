"""Machine code of a network: the same scores, made once per machine, and only used for the shapes that it was made for."""

from concurrent.futures import ThreadPoolExecutor
import getpass
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.engines import compiled as module
from model_zoo.engines.compiled import compile_network
from model_zoo.engines.machine_code_trial import try_machine_code
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import Scorer, load_scorer
from tests.support.builders import tiny_network, tiny_package
from tests.support.repository import REPOSITORY

pytestmark = [
    pytest.mark.program,
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
]
X = np.random.default_rng(1).standard_normal((100, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_package(tmp_path_factory.mktemp("package") / "model")


@pytest.fixture(scope="module")
def machine(package: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's folder of temporary files, where another user made one for inductor, and the network was compiled after that.

    In a process of its own: inductor decides at its import where it keeps what.
    """
    shared = tmp_path_factory.mktemp("machine")
    shared.chmod(0o1777)
    planted = planted_folder(shared)
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)
    code = (
        "import sys\n"
        "from model_zoo.engines.settings import Settings\n"
        "from model_zoo.package.package import read_package\n"
        "from model_zoo.scoring.scorer import load_scorer\n"
        # Its headers would be compiled first, for twenty seconds; they are kept in the same folder.
        "from torch._inductor import config, cpu_vec_isa\n"
        "config.aot_inductor.precompile_headers = False\n"
        # Of five programs that ask what the processor can do, one is enough to see where it goes.
        "cpu_vec_isa.supported_vec_isa_list[:] = [cpu_vec_isa.VecAVX2()]\n"
        "load_scorer(read_package(sys.argv[1]), 'cpu', Settings(16, compiled=True), threads=1)\n"
    )
    names = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_VEC_ISA_OK")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["TMPDIR"] = str(shared)
    subprocess.run(
        [sys.executable, "-c", code, package], cwd=REPOSITORY, env=environment, check=True
    )
    return shared


def planted_folder(machine: Path) -> Path:
    """Where inductor would keep what it makes."""
    return machine / f"torchinductor_{getpass.getuser()}"


@pytest.fixture(scope="module")
def scorer(package: str, machine: Path) -> Scorer:
    """What another process has compiled is found, by as many threads as there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(machine))
        patch.setattr(module, "_compile", refuse)
        first, second = (load_compiled(package, threads) for threads in (2, 1))
    scores = first({"x": X}).outputs["logit"]
    np.testing.assert_array_equal(scores, second({"x": X}).outputs["logit"])
    return first


def refuse(*_: object) -> None:
    raise AssertionError("compiled twice")


def load_compiled(package: str, threads: int) -> Scorer:
    settings = Settings(16, compiled=True)
    scorer = load_scorer(read_package(package), "cpu", settings, threads)
    assert isinstance(scorer, Scorer)
    return scorer


def expected(rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return tiny_network()(x=torch.from_numpy(rows))["logit"].numpy()  # type: ignore[no-any-return]


def test_scores_are_those_of_the_network(scorer: Scorer) -> None:
    np.testing.assert_allclose(scorer({"x": X}).outputs["logit"], expected(X), atol=1e-6)
    assert "compiled" in scorer({"x": X}).computed_by


def test_what_torch_unpacked_is_gone_while_it_runs(scorer: Scorer) -> None:
    """A process that ends at once, or is killed, would leave it."""
    mapped = Path("/proc/self/maps").read_text()
    unpacked = set(re.findall(r"(/.*/aotinductor_[^/]+)/", mapped))
    assert unpacked
    assert [folder for folder in unpacked if Path(folder).exists()] == []
    assert "compiled" in scorer({"x": X}).computed_by


def test_machine_code_for_a_gpu_is_loaded_by_a_process_of_its_own_first(
    scorer: Scorer, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried with a CPU's here; once it has passed nobody starts a process again."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (made,) = machine.glob("compiled-models-*/*.pt2")
    try_machine_code(made, torch.device("cpu"))
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    try_machine_code(made, torch.device("cpu"))


def test_machine_code_that_does_not_load_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken = tmp_path / "broken.pt2"
    broken.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"machine code for cpu does not load: .+; tune again"):
        try_machine_code(broken, torch.device("cpu"))


def test_a_table_by_columns_is_read_as_its_rows(scorer: Scorer) -> None:
    np.testing.assert_array_equal(
        scorer({"x": np.asfortranarray(X)}).outputs["logit"], scorer({"x": X}).outputs["logit"]
    )


def test_other_numbers_of_rows_are_computed_by_the_network(scorer: Scorer) -> None:
    rows = torch.from_numpy(X[:5])
    with torch.inference_mode():
        np.testing.assert_allclose(
            scorer.mini_batches.network(x=rows)["logit"].numpy(), expected(X[:5]), atol=1e-6
        )


def test_many_threads_get_their_own_scores(scorer: Scorer) -> None:
    pieces = [X[i : i + 20] for i in range(0, 80, 4)]
    with ThreadPoolExecutor(4) as threads:
        for piece, scored in zip(
            pieces, threads.map(lambda x: scorer({"x": x}).outputs["logit"], pieces), strict=True
        ):
            np.testing.assert_allclose(scored, expected(piece), atol=1e-6)


def test_nothing_is_kept_or_looked_for_in_a_folder_that_another_user_made(machine: Path) -> None:
    assert list(planted_folder(machine).rglob("*")) == []
    kept = machine / f"library-caches-{os.getuid()}"
    # Libraries that inductor builds, and loads, to find out what the processor can do.
    assert list(kept.rglob("*.so"))


def test_a_folder_that_is_not_this_users_alone_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(module, "private_folder", lambda _: None)
    with pytest.raises(ModelError, match="compiled models cannot be kept"):
        compile_network(tiny_network(), {"x": torch.zeros(4, 3)}, {})


def test_what_cannot_be_compiled_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chooses(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": x if x.sum() > 0 else -x}

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ModelError, match="the network cannot be compiled here: "):
        compile_network(Chooses(), {"x": torch.zeros(4, 3)}, {})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
