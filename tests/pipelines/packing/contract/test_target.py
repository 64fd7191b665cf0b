"""Steps of dates, selection and components in a package: fitted on the sample, applied as scikit-learn would."""

from collections.abc import Callable
import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import mutual_info_regression

from model_zoo.scoring.smoke import smoke_arrays
from tests.support.jobs import run_job
from tests.support.packaging import ROWS, Author, Packaged, numbers, stacked

Write = Callable[[str], Author]
SUM = """
    class Net(nn.Module):
        def forward(self, x):
            return x.sum(1)
"""
SELECT = "{step: select, columns: [a, b, c], into: x, method: %s, k: 1}"


def package(author: Author, steps: str, *flags: str, **columns: Any) -> Packaged:
    return author.package(
        "--set", "key=id", "--activation", "none", "--set", f"preprocess=[{steps}]", *flags,
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**columns),
    )  # fmt: skip


def test_components_are_fitted_on_the_sample(author_of: Write) -> None:
    author = author_of(SUM)
    steps = "{step: pca, columns: [a, b, c], into: x, components: 2}"
    packaged = package(author, steps, **numbers())
    assert packaged.status == 0, packaged.error
    expected = PCA(2).fit_transform(stacked(numbers()).numpy()).sum(axis=1)
    scores = run_job(author.folder / "model.job.yaml").scored()["output"].to_numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_dates_are_taken_apart_and_are_no_input_themselves(author_of: Write) -> None:
    author = author_of(SUM)
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(number) for number in range(ROWS)]
    steps = "{step: date_parts, columns: dates, parts: [month, weekday]}"
    packaged = package(author, steps, id=np.arange(ROWS), day=pa.array(days))
    assert packaged.status == 0, packaged.error
    inputs, _ = smoke_arrays(author.opened())
    expected = [[day.month, day.weekday()] for day in days[: len(inputs["x"])]]
    assert inputs["x"].tolist() == expected


def test_a_missing_date_is_filled_part_by_part(author_of: Write) -> None:
    author = author_of(SUM)
    days = [None, datetime.date(2024, 3, 1), datetime.date(2024, 5, 1)] * (ROWS // 3 + 1)
    steps = (
        "{step: date_parts, columns: [day], parts: [month, year]}, "
        "{step: fill, columns: [day_month, day_year], strategy: mean}"
    )
    packaged = package(author, steps, id=np.arange(ROWS), day=pa.array(days[:ROWS]))
    assert packaged.status == 0, packaged.error
    (rule,) = author.opened().card.columns
    assert (rule.name, rule.missing) == ("day", "fill")
    inputs, _ = smoke_arrays(author.opened())
    known = [day.month for day in days[:ROWS] if day]
    np.testing.assert_allclose(inputs["x"][:3, 0], [np.mean(known), 3, 5], rtol=1e-6)


def test_what_is_selected_hangs_on_the_label_that_the_model_never_sees(author_of: Write) -> None:
    author = author_of(SUM)
    table = numbers()
    wanted = table["c"] * 3
    matrix = stacked(table).numpy().astype(np.float64)
    best = int(np.argmax(mutual_info_regression(matrix, wanted, random_state=0)))
    packaged = package(
        author, SELECT % "mutual_information", "--label", "wanted", **table, wanted=wanted
    )
    assert packaged.status == 0, packaged.error
    package_made = author.opened()
    assert [rule.name for rule in package_made.card.columns] == ["a", "b", "c"]
    inputs, _ = smoke_arrays(package_made)
    assert best == 2
    np.testing.assert_array_equal(inputs["x"][:, 0], matrix[: len(inputs["x"]), best])


@pytest.mark.parametrize("classes", [["n", "y"], [0, 1], [False, True]])
def test_classes_are_told_by_texts_and_by_few_integers(
    author_of: Write, classes: list[Any]
) -> None:
    author = author_of(SUM)
    table = numbers()
    is_second = table["b"] > np.median(table["b"])
    wanted = [classes[int(second)] for second in is_second]
    packaged = package(author, SELECT % "l1", "--label", "w", **table, w=pa.array(wanted))
    assert packaged.status == 0, packaged.error
    inputs, _ = smoke_arrays(author.opened())
    np.testing.assert_array_equal(inputs["x"][:, 0], table["b"][: len(inputs["x"])])


@pytest.mark.parametrize(
    ("label", "flags", "words"),
    [
        (None, [], "method l1 looks at what is to be predicted, and there is no label"),
        (np.arange(ROWS), [], "may be classes or quantities; say task: classification or task:"),
        (["x"] * ROWS, ["--task", "regression"], "holds no numbers, and task is regression"),
        ([[1]] * ROWS, [], "is no one class or number a row"),
        ([None, *range(1, ROWS)], [], "sample: 1 rows have no 'w', to which step select is fitted"),
    ],
)
def test_what_is_no_target_is_asked_for_by_name(
    author_of: Write, label: Any, flags: list[str], words: str
) -> None:
    author = author_of(SUM)
    columns = numbers()
    if label is not None:
        columns = {**columns, "w": pa.array(label)}
        flags = ["--label", "w", *flags]
    packaged = package(author, SELECT % "l1", *flags, **columns)
    packaged.refused(words, status=packaged.status)
    assert packaged.status in (2, 3)
