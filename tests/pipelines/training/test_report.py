"""The report of a training: what it tells, that names stay names, and that it needs nothing else."""

from html.parser import HTMLParser
from pathlib import Path
import re
from typing import Any
from xml.dom import minidom

import numpy as np
import pytest
from sklearn import metrics

from configs.errors import InputError
from model_zoo.training.epoch import Epoch
from pipelines.training import report as report_module
from pipelines.training.figures import Scored
from pipelines.training.report import ReportedColumn, render_report, write_report
from tests.pipelines.training import reported
from tests.pipelines.training.reported import report
from tests.support.drawing import draw

TWO = reported.score_two()
EVIL = "<script>alert('x')</script>"
TASKS: list[Any] = [
    ("classification", ("stays", "leaves"), TWO),
    ("classification", tuple("abcde"), reported.score_classes(5)),
    (
        "classification",
        tuple(f"class {number}" for number in range(30)),
        reported.score_classes(30),
    ),
    ("multi_label", ("red", "green", "blue"), reported.score_labels(3)),
    ("regression", ("price",), reported.score_numbers()),
    ("regression", ("width", "height"), reported.score_numbers(2)),
]


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.inside in ("td", "th"):
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def row(self, name: str) -> list[str]:
        """The cells beside the first one of this name."""
        return next(row[1:] for row in self.rows if row and row[0] == name)

    def pictures(self) -> int:
        return sum(tag == "svg" for tag, _ in self.tags)


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time, and most tests are about words."""
    if "drawn" in request.fixturenames and request.getfixturevalue("drawn"):
        draw(monkeypatch)
        return
    monkeypatch.setattr(report_module, "can_draw", lambda: False)


@pytest.mark.parametrize(("task", "labels", "scored"), TASKS)
def test_every_task_has_a_page_that_loads_and_runs_nothing(
    task: Any, labels: tuple[str, ...], scored: Scored, drawn: bool
) -> None:
    text = render_report(report(task, labels, scored))
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed"}
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action") or name.startswith("on")
    ]
    assert all(str(link).startswith(("#", "data:image/png;")) for link in links)
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    policy = next(attributes for tag, attributes in page.tags if "http-equiv" in attributes)
    assert str(policy["content"]).startswith("default-src 'none'")
    assert (page.pictures() > 1) is drawn
    assert ("matplotlib is not installed" in text) is not drawn
    # The same training, the same bytes.
    assert text == render_report(report(task, labels, scored))


def test_pictures_are_whole_svg_in_which_text_is_text(drawn: bool) -> None:
    text = render_report(report("classification", ("stays", "leaves"), TWO))
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == (4 if drawn else 0)
    for picture in pictures:
        parsed = minidom.parseString(picture)  # noqa: S318 - our own
        assert parsed.documentElement.tagName == "svg"
        assert "matplotlib.org" not in picture
    if drawn:
        area = metrics.roc_auc_score(TWO.truth, TWO.scores)
        assert f"leaves (area {area:.3f})" in pictures[1]
        average = metrics.average_precision_score(TWO.truth, TWO.scores)
        assert f"leaves (mean precision {average:.3f})" in pictures[2]


def test_figures_are_scikit_learns_side_by_side() -> None:
    validation, test = reported.score_two(seed=1), reported.score_two(seed=2)
    page = Page(
        render_report(
            report("classification", ("stays", "leaves"), {"validation": validation, "test": test})
        )
    )
    parts = (validation, test)
    predicted = [(part.scores >= 0.5).astype(int) for part in parts]
    pairs = list(zip(parts, predicted, strict=True))
    assert page.row("accuracy") == [
        f"{metrics.accuracy_score(part.truth, found):.4f}" for part, found in pairs
    ]
    assert page.row("F1 (of leaves)") == [
        f"{metrics.f1_score(part.truth, found):.4f}" for part, found in pairs
    ]
    assert page.row("ROC AUC") == [
        f"{metrics.roc_auc_score(part.truth, part.scores):.4f}" for part in parts
    ]
    most = [max(part.truth.mean(), 1 - part.truth.mean()) for part in parts]
    assert page.row("accuracy of always saying the most frequent class") == [
        f"{share:.4f}" for share in most
    ]
    # Where it errs is told of the test rows.
    confusion = metrics.confusion_matrix(test.truth, predicted[1])
    assert page.row("true \\ predicted") == ["stays", "leaves"]
    assert page.row("stays") == [str(count) for count in confusion[0]]


def test_targets_as_losses_want_them_are_classes() -> None:
    """Of a sigmoid they are floats."""
    floats = Scored(TWO.truth.astype(np.float32), TWO.scores)
    labels = ("stays", "leaves")
    assert render_report(report("classification", labels, floats)) == render_report(
        report("classification", labels, TWO)
    )


def test_of_many_classes_the_largest_confusions_are_listed() -> None:
    scored = reported.score_classes(30)
    labels = tuple(f"class {number}" for number in range(30))
    page = Page(render_report(report("classification", labels, scored)))
    matrix = metrics.confusion_matrix(scored.truth, scored.scores.argmax(axis=1))
    np.fill_diagonal(matrix, 0)
    listed = [row for row in page.rows if len(row) == 3 and row[0] in labels and row[1] in labels]
    assert len(listed) == 20
    assert [int(row[2]) for row in listed] == sorted(matrix.ravel(), reverse=True)[:20]
    true, predicted = listed[0][:2]
    assert matrix[labels.index(true), labels.index(predicted)] == matrix.max()


def test_labels_have_figures_of_their_own() -> None:
    scored = reported.score_labels(3)
    page = Page(render_report(report("multi_label", ("red", "green", "blue"), scored)))
    truth, found = scored.truth[:, 1], scored.scores[:, 1] >= 0.5
    expected = [
        str(int(truth.sum())),
        f"{metrics.precision_score(truth, found):.4f}",
        f"{metrics.recall_score(truth, found):.4f}",
        f"{metrics.f1_score(truth, found):.4f}",
        f"{metrics.average_precision_score(truth, scored.scores[:, 1]):.4f}",
    ]
    assert ["green", *expected] in page.rows


def test_numbers_have_figures_of_their_own() -> None:
    scored = reported.score_numbers(2)
    page = Page(render_report(report("regression", ("width", "height"), scored)))
    error = metrics.mean_absolute_error(scored.truth[:, 1], scored.scores[:, 1])
    assert page.row("height")[0] == f"{error:.6g}"
    mean = metrics.mean_absolute_error(scored.truth, scored.scores)
    assert page.row("mean absolute error (mean over numbers)") == [f"{mean:.6g}"] * 2


def test_names_stay_names(drawn: bool) -> None:
    labels = (EVIL, "$x_{1}$ & <b>_y</b>")
    columns = (ReportedColumn(EVIL, EVIL, EVIL, EVIL),)
    text = render_report(
        report(
            "classification",
            labels,
            TWO,
            name=EVIL,
            version=EVIL,
            package=EVIL,
            job=EVIL,
            network=EVIL,
            recipe={EVIL: EVIL},
            columns=columns,
            parts={EVIL: 1},
            left_out={EVIL: 2},
            seconds={EVIL: 1.0},
            machine=EVIL,
            notes=(EVIL,),
            steps=(EVIL,),
        )
    )
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "b" not in {tag for tag, _ in page.tags}
    assert EVIL not in text
    assert sum(EVIL in one for one in page.texts) >= 15
    if drawn:
        assert any("$x_{1}$ & <b>_y</b> (area" in one for one in page.texts)


def test_a_name_that_is_very_long_is_short_in_pictures_alone(drawn: bool) -> None:
    label = "the customer that " + "very " * 30 + "probably leaves"
    text = render_report(report("classification", ("stays", label), TWO))
    assert (f"{label[:29]}… (area" in text) is drawn
    assert f">{label}</th>" in text


def test_everything_that_is_told_stands_in_it() -> None:
    text = render_report(
        report(
            "regression",
            ("price",),
            reported.score_numbers(),
            left_out={"no price": 17},
            seconds={"training": 3.456},
            machine="cpu, 1 thread",
            notes=("labels are learned as they are",),
            steps=("fill age", "select by l1 keeps 1 numbers: age"),
        )
    )
    page = Page(text)
    assert page.row("training") == ["1,200", "60.0%"]
    assert page.row("no price") == ["17"]
    assert page.row("age") == ["int64", "feature", "reject"]
    assert page.row("optimiser") == ["adam"]
    assert ["training", "3.5"] in page.rows
    for words in (
        "churn, version 2",
        "ab" * 32,
        "mlp (hidden [64, 32]), of 4,033 fitted numbers",
        "Computed on cpu, 1 thread.",
        "labels are learned as they are",
        "<td>fill age</td>",
        "<td>select by l1 keeps 1 numbers: age</td>",
        "weights of epoch 7 of 12 were kept",
    ):
        assert words in text


def test_a_training_that_ended_too_early_is_told() -> None:
    falling = tuple(Epoch(number, 1 / number, 1 / number, True, 0.1, 1.0) for number in range(1, 5))
    words = "more epochs may do better"
    assert words in render_report(report("classification", ("n", "y"), TWO, epochs=falling))
    assert words not in render_report(report("classification", ("n", "y"), TWO))
    only = (Epoch(1, 1.0, 1.0, True, 0.1, 1.0),)
    assert words not in render_report(report("classification", ("n", "y"), TWO, epochs=only))


def test_long_trainings_list_some_epochs_and_the_kept_one() -> None:
    epochs = tuple(
        Epoch(n, 1.0, 1 / n if n <= 503 else 1.0, n <= 503, 0.1, 1.0) for n in range(1, 1001)
    )
    page = Page(render_report(report("classification", ("n", "y"), TWO, epochs=epochs)))
    head = next(number for number, row in enumerate(page.rows) if row and row[0] == "epoch")
    numbers = [int(row[0]) for row in page.rows[head + 1 :] if row[0].isdecimal()]
    assert len(numbers) < 60
    assert {1, 503, 1000} <= set(numbers)


def test_no_value_of_a_row_stands_in_it(drawn: bool) -> None:
    """Nor can one be read off a picture: few rows fall into few cells."""
    truth = np.array([1234.5678, 2345.6789, 3456.7891, 4567.8912])
    scored = Scored(truth, truth + 0.125)
    text = render_report(report("regression", ("salary",), scored))
    assert not any(str(value)[:6] in text for value in truth)


def test_parts_without_both_classes_have_no_curve(drawn: bool) -> None:
    alone = Scored(np.zeros(20, dtype=np.int64), np.linspace(0, 1, 20))
    page = Page(render_report(report("classification", ("n", "y"), alone)))
    assert page.row("ROC AUC") == ["undefined", "undefined"]
    # Losses, and calibration.
    assert page.pictures() == (2 if drawn else 0)


@pytest.mark.parametrize(
    ("task", "labels", "scored", "words"),
    [
        ("classification", ("n", "y"), Scored(np.array([0, 1]), np.array([0.5, np.nan])), "1 of 2"),
        ("multi_label", ("n", "y"), Scored(np.eye(2), np.full((2, 2), np.nan)), "2 of 2 rows a"),
        ("regression", ("n",), Scored(np.ones(2), np.full(2, np.inf)), "2 of 2 predicted numbers"),
    ],
)
def test_scores_that_are_none_are_refused(
    task: Any, labels: tuple[str, ...], scored: Scored, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        render_report(report(task, labels, scored))


def test_it_is_one_file_that_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    url = str(tmp_path / "models/2.html")
    for name in ("first", "second"):
        write_report(url, report("classification", ("n", "y"), TWO, name=name))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["2.html"]
    assert "second, version 2" in (tmp_path / "models/2.html").read_text()


@pytest.mark.parametrize(("columns", "is_folded"), [(30, False), (31, True)])
def test_more_than_thirty_columns_are_folded(columns: int, is_folded: bool) -> None:
    listed = [ReportedColumn(f"c{number}", "double", "feature", 0) for number in range(columns)]
    table = report_module._tabulate_columns(listed)
    assert (table.caption, table.folded) == (f"{columns} columns", is_folded)
