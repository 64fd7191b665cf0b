import io
from pathlib import Path
import pickle
import threading
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import save
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.engines.settings import Settings
from model_zoo.package.card import Tensor
from model_zoo.package.package import SMOKE, read_package
from model_zoo.scoring.devices import resolve_devices, threads_for
from model_zoo.scoring.mini_batches import MiniBatches
from model_zoo.scoring.scorer import Scorer, load_scorer
from model_zoo.scoring.smoke import check_smoke, smoke_arrays
from tests.support.builders import parquet, smoke_file, tiny_network, tiny_package

X = np.random.default_rng(9).standard_normal((100, 3), dtype=np.float32)


def scorer_of(url: str, batch_rows: int = 16, threads: int = 1, dtype: Any = "float32") -> Scorer:
    scorer = load_scorer(read_package(url), "cpu", Settings(batch_rows, dtype), threads)
    assert isinstance(scorer, Scorer)
    return scorer


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_package(tmp_path_factory.mktemp("package") / "model")


@pytest.fixture(scope="module")
def scorer(package: str) -> Scorer:
    return scorer_of(package)


def refusal(url: str, **changes: Any) -> str:
    with pytest.raises(ModelError) as caught:
        scorer_of(url, **changes)
    return str(caught.value)


def reference(x: np.ndarray) -> np.ndarray:
    """The tiny network in float64, by numpy alone."""
    weights = {n: t.double().numpy() for n, t in tiny_network().state_dict().items()}
    hidden = np.maximum(x @ weights["layers.0.weight"].T + weights["layers.0.bias"], 0)
    return (hidden @ weights["layers.2.weight"].T + weights["layers.2.bias"])[:, 0]


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 100])
def test_scores_are_the_networks(scorer: Scorer, rows: int) -> None:
    logit = scorer({"x": X[:rows]}).outputs["logit"]
    assert (logit.dtype, logit.shape) == (np.float32, (rows,))
    np.testing.assert_allclose(logit, reference(X[:rows]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layout", ["rows", "columns", "slice of columns", "read-only", "reversed", "every second"]
)
def test_any_layout_of_the_input_gives_the_same_scores(scorer: Scorer, layout: str) -> None:
    wide = np.asfortranarray(np.tile(X, (3, 1)))
    read_only = X.copy()
    read_only.flags.writeable = False
    x = {
        "rows": X,
        "columns": np.asfortranarray(X),
        "slice of columns": wide[100:200],
        "read-only": read_only,
        "reversed": X[::-1].copy()[::-1],
        "every second": np.repeat(X, 2, axis=0)[::2],
    }[layout]
    np.testing.assert_allclose(
        scorer({"x": x}).outputs["logit"], reference(X), rtol=1e-5, atol=1e-6
    )


def test_inputs_are_left_as_they_were(scorer: Scorer) -> None:
    x = X.copy()
    scorer({"x": x})
    np.testing.assert_array_equal(x, X)


@pytest.fixture(scope="module")
def wide_scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """32-64-1, as in the benchmark: large enough that a matrix product takes other ways for other shapes."""
    names = tuple(f"f{i}" for i in range(32))
    return scorer_of(
        tiny_package(tmp_path_factory.mktemp("wide") / "model", features=names, hidden=64),
        batch_rows=64,
    )


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.integers(1, 200), seed=st.integers(0, 5), columns=st.booleans())
def test_a_row_gets_the_same_bits_whatever_rows_stand_beside_it(
    wide_scorer: Scorer, rows: int, seed: int, columns: bool
) -> None:
    """The last mini-batch is padded; other rows before, behind, or none at all must not change a bit."""
    mine = np.random.default_rng(1).standard_normal((200, 32), dtype=np.float32)
    others = np.random.default_rng(seed).standard_normal((200, 32), dtype=np.float32)
    order = np.asfortranarray if columns else np.ascontiguousarray
    alone = wide_scorer({"x": order(mine[:rows])}).outputs["logit"]
    followed = wide_scorer({"x": order(np.concatenate([mine[:rows], others]))}).outputs["logit"][
        :rows
    ]
    behind = wide_scorer({"x": order(np.concatenate([others[:64], mine[:rows]]))}).outputs["logit"][
        64:
    ]
    np.testing.assert_array_equal(alone, followed)
    np.testing.assert_array_equal(alone, behind)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 199), min_size=1, max_size=150))
def test_a_row_gets_the_same_bits_at_any_place_and_layout(
    wide_scorer: Scorer, places: list[int]
) -> None:
    mine = np.random.default_rng(1).standard_normal((200, 32), dtype=np.float32)
    whole = wide_scorer({"x": mine}).outputs["logit"]
    np.testing.assert_array_equal(
        wide_scorer({"x": np.ascontiguousarray(mine[places])}).outputs["logit"], whole[places]
    )
    np.testing.assert_array_equal(
        wide_scorer({"x": np.asfortranarray(mine[places])}).outputs["logit"], whole[places]
    )


class Fake(nn.Module):
    """A network that answers what it is told to, for `rows` rows."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: torch.Tensor) -> Any:
        return self.answer(x)


def test_inputs_of_different_length_are_refused(scorer: Scorer) -> None:
    with pytest.raises(ModelError, match=r"inputs have \[3, 4\] rows"):
        scorer({"x": X[:3], "y": X[:4]})


def test_every_mini_batch_has_the_same_number_of_rows(scorer: Scorer) -> None:
    seen: list[int] = []

    def answer(x: torch.Tensor) -> Any:
        assert torch.is_inference_mode_enabled()
        seen.append(len(x))
        return {"logit": x[:, 0]}

    mini_batches = MiniBatches(
        Fake(answer), scorer.card.outputs, torch.device("cpu"), torch.float32, 16, 1, 60.0
    )
    fake = Scorer(mini_batches, scorer.card)
    np.testing.assert_array_equal(fake({"x": X[:40]}).outputs["logit"], X[:40, 0])
    assert seen == [16, 16, 16]


def test_the_network_is_loaded_for_evaluation(package: str) -> None:
    assert not scorer_of(package).mini_batches.network.training


def test_placement_says_what_computes(scorer: Scorer) -> None:
    assert scorer({"x": X}).computed_by == f"cpu float32, 1 thread(s), torch {torch.__version__}"


def test_weights_may_be_a_plain_state_dict(tmp_path: Path) -> None:
    sink = io.BytesIO()
    torch.save(tiny_network().state_dict(), sink)
    url = tiny_package(
        tmp_path / "model", weights="weights.pt", contents={"weights.pt": sink.getvalue()}
    )
    np.testing.assert_allclose(
        scorer_of(url)({"x": X}).outputs["logit"], reference(X), rtol=1e-5, atol=1e-6
    )


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (Path.touch, (self.canary,))


@pytest.mark.parametrize("how", ["torch", "torch legacy", "pickle"])
def test_a_hostile_weights_file_is_refused_without_running(tmp_path: Path, how: str) -> None:
    canary, sink = tmp_path / "canary", io.BytesIO()
    state = {**tiny_network().state_dict(), "evil": Hostile(canary)}
    if how == "pickle":
        pickle.dump(state, sink, protocol=2)
    else:
        torch.save(state, sink, _use_new_zipfile_serialization=how == "torch")
    url = tiny_package(
        tmp_path / "model", weights="weights.pt", contents={"weights.pt": sink.getvalue()}
    )
    assert "weights.pt: does not hold the weights of mlp" in refusal(url)
    assert not canary.exists()
    torch.load(
        io.BytesIO(sink.getvalue()), weights_only=False
    ) if how != "pickle" else pickle.loads(sink.getvalue())
    assert canary.exists()


def saved(content: Any) -> bytes:
    sink = io.BytesIO()
    torch.save(content, sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.safetensors", b"garbage"),
        ("weights.safetensors", b""),
        ("weights.safetensors", save(tiny_network(hidden=9).state_dict())),
        ("weights.safetensors", save({"other": torch.zeros(1)})),
        ("weights.pt", b"garbage"),
        ("weights.pt", b""),
        ("weights.pt", saved([torch.zeros(1)])),
        ("weights.pt", saved({})),
        ("weights.pth", saved(torch.zeros(3))),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    url = tiny_package(tmp_path / "model", weights=name, contents={name: content})
    assert f"{name}: does not hold the weights of mlp" in refusal(url)


@pytest.mark.parametrize("name", ["weights.pkl", "weights.joblib", "model.pt2", "weights"])
def test_formats_that_can_carry_code_are_refused(tmp_path: Path, name: str) -> None:
    assert "only .safetensors, .pt and .pth" in refusal(
        tiny_package(tmp_path / "model", weights=name, contents={name: b"x"})
    )


def test_other_weights_than_those_that_were_packed_fail_the_smoke_check(tmp_path: Path) -> None:
    other = tiny_package(
        tmp_path / "model",
        contents={"weights.safetensors": save(tiny_network(seed=4).state_dict())},
    )
    assert "smoke output logit differs by" in refusal(other)


def test_the_smoke_check_is_as_strict_as_the_tolerance(tmp_path: Path) -> None:
    shifted = {SMOKE: smoke_file(tiny_network(), shift=0.01)}
    assert "more than 0.005" in refusal(
        tiny_package(tmp_path / "strict", contents=shifted, smoke_tolerance=0.005)
    )
    scorer_of(tiny_package(tmp_path / "loose", contents=shifted, smoke_tolerance=0.02))


def test_a_network_that_gives_nan_fails_the_smoke_check(tmp_path: Path) -> None:
    network = tiny_network()
    with torch.no_grad():
        network.state_dict()["layers.0.weight"].fill_(float("nan"))
    assert "differs by nan" in refusal(
        tiny_package(
            tmp_path / "model", contents={"weights.safetensors": save(network.state_dict())}
        )
    )


@pytest.mark.parametrize(
    "columns",
    [
        {"input.x": pa.FixedSizeListArray.from_arrays(pa.array(X[:2].reshape(-1)), 3)},
        {"output.logit": pa.array([0.0, 1.0])},
        {"input.x": pa.array([0.0, 1.0]), "output.logit": pa.array([0.0, 1.0])},
        {
            "input.x": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(4)), 2),
            "output.logit": pa.array([0.0, 1.0]),
        },
        {
            "input.x": pa.array([], type=pa.list_(pa.float32(), 3)),
            "output.logit": pa.array([], type=pa.float32()),
        },
    ],
    ids=["no output", "no input", "flat input", "narrow input", "no rows"],
)
def test_a_smoke_batch_that_does_not_fit_the_card_is_refused(
    tmp_path: Path, columns: dict[str, Any]
) -> None:
    assert "smoke" in refusal(
        tiny_package(tmp_path / "model", contents={SMOKE: parquet(pa.table(columns))})
    )


def test_a_network_that_cannot_take_its_smoke_batch_is_refused(tmp_path: Path) -> None:
    url = tiny_package(
        tmp_path / "model",
        inputs={"y": {"dtype": "float32", "shape": [3]}},
        contents={SMOKE: renamed_smoke()},
    )
    assert "fails on its own smoke batch" in refusal(url)


def renamed_smoke() -> bytes:
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(smoke_file(tiny_network())))
    return parquet(table.rename_columns({"input.x": "input.y"}))


def test_smoke_arrays_have_the_cards_shapes(package: str) -> None:
    inputs, expected = smoke_arrays(read_package(package))
    assert (inputs["x"].shape, inputs["x"].dtype, expected["logit"].shape) == (
        (8, 3),
        np.float32,
        (8,),
    )


def test_check_smoke_passes_for_a_good_scorer(scorer: Scorer, package: str) -> None:
    check_smoke(scorer, read_package(package), Settings(16))


def test_bfloat16_is_near_float32_and_not_it(package: str, scorer: Scorer) -> None:
    rough, exact = scorer_of(package, dtype="bfloat16"), scorer({"x": X}).outputs["logit"]
    values = rough({"x": X}).outputs["logit"]
    assert values.dtype == np.float32
    assert not np.array_equal(values, exact)
    np.testing.assert_allclose(values, exact, atol=0.03)
    assert "bfloat16" in rough({"x": X}).computed_by


def test_wrong_weights_fail_the_smoke_check_in_bfloat16_too(tmp_path: Path) -> None:
    other = tiny_package(
        tmp_path / "model",
        contents={"weights.safetensors": save(tiny_network(seed=4).state_dict())},
    )
    assert "smoke output logit differs by" in refusal(other, dtype="bfloat16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_cuda_is_an_error_and_auto_is_not(package: str) -> None:
    with pytest.raises(ModelError, match=r"model\.device is cuda, but torch finds no CUDA device"):
        resolve_devices("cuda")
    with pytest.raises(ModelError, match="CUDA"):
        load_scorer(read_package(package), "cuda", Settings(8), 1)
    assert resolve_devices("auto") == resolve_devices("cpu") == [torch.device("cpu")]


def test_an_unknown_builder_is_refused(tmp_path: Path) -> None:
    assert "did you mean 'mlp'?" in refusal(tiny_package(tmp_path / "model", builder="mpl"))


def test_more_threads_give_the_same_bits_even_for_a_wide_network() -> None:
    """Spread over torch's own threads, this product of 4 096 terms differs in its last bits on many machines."""
    torch.manual_seed(0)
    network = build("mlp", {"in_features": 4096, "hidden": [16], "out_features": 1}).eval()
    torch_threads: set[int] = set()
    network.register_forward_hook(lambda *_: torch_threads.add(torch.get_num_threads()))
    card: Any = SimpleNamespace(mask=None, outputs={"logit": Tensor(shape=())})
    x = np.random.default_rng(0).standard_normal((300, 4096), dtype=np.float32)

    def outputs(threads: int) -> np.ndarray:
        mini_batches = MiniBatches(
            network, card.outputs, torch.device("cpu"), torch.float32, 64, threads, 60.0
        )
        return Scorer(mini_batches, card)({"x": x}).outputs["logit"]

    assert outputs(1).tobytes() == outputs(2).tobytes() == outputs(4).tobytes()
    assert torch_threads == {1}


def test_several_threads_share_one_scorer(scorer: Scorer) -> None:
    expected, results = scorer({"x": X}).outputs["logit"], []
    workers = [
        threading.Thread(
            target=lambda: results.extend(scorer({"x": X}).outputs["logit"] for _ in range(5))
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 20
    assert all(np.array_equal(r, expected) for r in results)


def test_workers_share_the_cores() -> None:
    import os

    cores = len(os.sched_getaffinity(0))
    assert threads_for(1) == cores
    assert threads_for(cores) == threads_for(10 * cores) == 1
    assert threads_for(0) == cores
