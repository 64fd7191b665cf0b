"""A library's own file is first read by a process that really starts; in other tests of packaging it is forked."""

from pathlib import Path

import numpy as np
import pytest

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")
pytest.importorskip("onnx")

from configs.errors import JobError  # noqa: E402
from pipelines.packing.converters import lightgbm_trees, xgboost_trees  # noqa: E402
from pipelines.packing.converters.trees import find_file  # noqa: E402

X = np.arange(80, dtype=np.float32).reshape(40, 2)
Y = X[:, 0] % 3
READS = {"xgboost": xgboost_trees._READ, "lightgbm": lightgbm_trees._READ}

pytestmark = pytest.mark.program


def save(kind: str, file: Path) -> None:
    if kind == "xgboost":
        xgboost.train({}, xgboost.DMatrix(X, Y), 1).save_model(file)
    else:
        lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, Y), 1).save_model(file)


@pytest.mark.parametrize("kind", READS)
def test_a_whole_file_is_read_and_a_torn_one_is_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    save(kind, file)
    assert find_file(kind, str(file), READS[kind]) == file

    # LightGBM takes a half for a whole one with fewer trees; packing compares scores.
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(JobError, match=f"{kind} .*: the library does not read it"):
        find_file(kind, str(file), READS[kind])
