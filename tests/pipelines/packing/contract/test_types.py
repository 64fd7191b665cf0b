"""Columns of every kind, from the sample to the network and to scores of shards that others wrote."""

from collections.abc import Callable
import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from model_zoo.package.package import Package
from tests.support.jobs import run_job
from tests.support.packaging import Author, Packaged

Write = Callable[[str], Author]
ROWS = 200
VISITS = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.page = nn.Embedding(50, 4)

        def forward(self, pages, pages_mask, profile, rest):
            vectors = self.page(pages).masked_fill(~pages_mask.unsqueeze(-1), 0)
            mean = vectors.sum(1) / pages_mask.sum(1, keepdim=True).clamp(min=1)
            return (mean * profile).sum(1) + rest.sum(1) / 1000
"""
SUM = """
    class Net(nn.Module):
        def forward(self, events):
            return events.sum(1)
"""
REST = [
    "--set",
    "inputs={pages: pages, pages_mask: pages_mask, profile: profile, rest: [born, since, paid]}",
]
NUMBERS = ["--set", "numbers.born=days", "--set", "numbers.since=hours"]


def visits() -> dict[str, Any]:
    random = np.random.default_rng(0)
    lengths = random.integers(0, 9, ROWS)
    # One row of each: what is found does not hang on chance.
    lengths[:2] = (0, 8)
    return {
        "id": pa.array(range(ROWS)),
        "pages": pa.array([random.integers(0, 50, n).tolist() for n in lengths], pa.list_(pa.int32())),
        "profile": pa.array(random.normal(size=(ROWS, 4)).tolist(), pa.list_(pa.float64())),
        "born": pa.array(random.integers(-9000, 9000, ROWS), pa.int32()).cast(pa.date32()),
        "since": pa.array(random.integers(0, 10**9, ROWS) * 1000, pa.timestamp("ms", "Asia/Tokyo")),
        "paid": pa.array([Decimal(int(x)) / 100 for x in random.integers(0, 10**6, ROWS)], pa.decimal128(12, 2)),
    }  # fmt: skip


def package(author: Author, network: Any, columns: dict[str, Any], *flags: str) -> Packaged:
    return author.package(
        "--set", "key=id", "--activation", "none", *flags, network=f"{author.module.__name__}:Net",
        weights=author.save(network), sample=author.sample(**columns),
    )  # fmt: skip


def pack(author: Author, network: Any, columns: dict[str, Any], *flags: str) -> Package:
    packaged = package(author, network, columns, *flags)
    assert packaged.status == 0, packaged.error
    return author.opened()


def score(author: Author, **changes: Any) -> dict[int, float]:
    settings = {name.replace("__", "."): value for name, value in changes.items()}
    scored = run_job(author.folder / "model.job.yaml", settings=settings).scored()
    return dict(zip(scored["id"].to_pylist(), scored["output"].to_pylist(), strict=True))


def compute(network: Any, columns: dict[str, Any]) -> dict[int, float]:
    """Call the network row by row, without any padding, on numbers that Python itself made."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    expected = {}
    for row in pa.table(columns).to_pylist():
        # An empty list has one place, which the mask leaves out.
        pages = torch.tensor([row["pages"] or [0]])
        mask = torch.full(pages.shape, bool(row["pages"]))
        born = (row["born"] - dt.date(1970, 1, 1)).days
        since = (row["since"] - epoch) / dt.timedelta(hours=1)
        rest = torch.tensor([[born, since, float(row["paid"])]])
        with torch.inference_mode():
            scores = network(pages, mask, torch.tensor([row["profile"]]), rest)
        expected[row["id"]] = scores.item()
    return expected


def test_lists_dates_and_decimals_are_scored_as_row_by_row(author_of: Write) -> None:
    author = author_of(VISITS)
    network, columns = author.module.Net(), visits()
    packed = pack(author, network, columns, *REST, *NUMBERS)
    assert {name: (t.dtype, t.shape) for name, t in packed.card.inputs.items()} == {
        "pages": ("int32", (8,)),
        "pages_mask": ("bool", (8,)),
        "profile": ("float32", (4,)),
        "rest": ("float32", (3,)),
    }
    assert score(author) == pytest.approx(compute(network, columns), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("writer", ["pandas", "polars", "arrow"])
def test_shards_of_other_writers_have_the_same_scores(writer: str, author_of: Write) -> None:
    author = author_of(VISITS)
    columns = visits()
    pack(author, author.module.Net(), columns, *REST, *NUMBERS)
    expected = score(author)
    shard = author.folder / "shard.parquet"
    table = pa.table(columns)
    if writer == "pandas":
        frame = table.to_pandas()
        frame.assign(since=frame["since"].astype("datetime64[ns, UTC]")).to_parquet(shard)
    elif writer == "polars":
        array = pl.col("profile").list.to_array(4)
        pl.DataFrame(table).with_columns(array).write_parquet(shard)
    else:
        others = {
            "pages": pa.large_list(pa.int16()),
            "profile": pa.list_(pa.float32(), 4),
            "born": pa.date64(),
            "since": pa.timestamp("us", "UTC"),
            "paid": pa.decimal256(12, 2),
        }
        for name, kind in others.items():
            table = table.set_column(
                table.schema.get_field_index(name), name, table[name].cast(kind)
            )
        pq.write_table(table, shard)
    found = score(author, source__paths=str(shard))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_moments_are_asked_for_all_at_once(author_of: Write) -> None:
    author = author_of(VISITS)
    asked = package(author, author.module.Net(), visits(), *REST)
    asked.refused("numbers.born=days, numbers.since=days", "since 1970-01-01")


def test_rows_that_do_not_fit_are_rejected_alone(author_of: Write) -> None:
    author = author_of(VISITS)
    columns = visits()
    pack(author, author.module.Net(), columns, *REST, *NUMBERS)
    expected = score(author)
    rows = pa.table(columns).to_pylist()
    rows[3]["pages"] = [1] * 9
    rows[4]["pages"] = [1, None]
    rows[5]["profile"] = rows[5]["profile"][:3]
    rows[6]["profile"] = None
    rows[7]["profile"] = [1e300, 0.0, 0.0, 0.0]
    rows[8]["since"] = None
    shard = author.folder / "shard.parquet"
    pq.write_table(pa.Table.from_pylist(rows, pa.table(columns).schema), shard)
    outcome = run_job(author.folder / "model.job.yaml", settings={"source.paths": str(shard)})
    scored = outcome.scored()
    assert [record["row"] for record in outcome.rejected()] == [3, 4, 5, 6, 7, 8]
    kept = dict(zip(scored["id"].to_pylist(), scored["output"].to_pylist(), strict=True))
    # To the bit: neighbours that are rejected change nothing.
    assert kept == {key: value for key, value in expected.items() if key not in range(3, 9)}


def test_a_length_is_declared_and_longer_lists_are_cut(author_of: Write) -> None:
    author = author_of(SUM)
    columns = {"id": [0, 1, 2], "events": pa.array([[1.0, 2.0, 4.0], [8.0], []])}
    flags = ["--set", "lengths.events=2", "--set", "cut=events"]
    packed = pack(author, author.module.Net(), columns, *flags)
    assert packed.card.inputs["events"].shape == (2,)
    assert score(author) == {0: 3.0, 1: 8.0, 2: 0.0}


def test_a_longer_list_of_the_sample_is_left_out_and_told(author_of: Write) -> None:
    author = author_of(SUM)
    columns = {"id": [0, 1, 2], "events": pa.array([[1.0, 2.0, 4.0], [8.0], []])}
    packaged = package(author, author.module.Net(), columns, "--set", "lengths.events=2")
    assert "1 rows of the sample have missing values, or lists that are too long" in packaged.said
    assert score(author, errors__max_rejected_rows=1) == {1: 8.0, 2: 0.0}


def test_missing_items_are_filled_as_the_contract_says(author_of: Write) -> None:
    author = author_of(SUM)
    columns = {"id": [0, 1, 2], "events": pa.array([[1.0, None], [8.0, float("nan")], None])}
    pack(author, author.module.Net(), columns, "--set", "fill.events=100.0")
    assert score(author) == {0: 101.0, 1: 108.0, 2: 0.0}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (pa.bool_(), "bool"),
        (pa.uint8(), "uint8"),
        (pa.int8(), "int8"),
        (pa.int16(), "int16"),
        (pa.uint16(), "uint16"),
        (pa.uint32(), "uint32"),
    ],
    ids=str,
)
def test_a_network_gets_the_dtype_that_it_asks_for(
    kind: pa.DataType, dtype: str, author_of: Write
) -> None:
    """It fails with others, or the author says it; beside floats."""
    author = author_of(f"""
        class Net(nn.Module):
            def forward(self, flag, amount):
                if flag.dtype != torch.{dtype}:
                    raise TypeError(flag.dtype)
                return flag.to(torch.int64) + amount
    """)
    columns = {
        "id": [0, 1, 2],
        "flag": pa.array([0, 1, 1], pa.int8()).cast(kind),
        "amount": pa.array([0.5, 1.5, 2.5], pa.float16()),
    }
    packed = pack(author, author.module.Net(), columns)
    assert packed.card.inputs["flag"].dtype == dtype
    assert score(author) == {0: 0.5, 1: 2.5, 2: 3.5}


def test_a_number_that_does_not_fit_a_stated_dtype_costs_its_row(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, a):
                assert a.dtype == torch.uint8
                return a.float()
    """)
    columns = {"id": [0, 1], "a": pa.array([1, 255])}
    pack(author, author.module.Net(), columns, "--set", "dtypes.a=uint8")
    shard = author.folder / "shard.parquet"
    pq.write_table(pa.table({"id": [0, 1, 2, 3], "a": [7, 256, -1, 255]}), shard)
    changes = {"source__paths": str(shard), "errors__max_rejected_rows": 2}
    assert score(author, **changes) == {0: 7.0, 3: 255.0}


def test_dates_of_a_csv_file(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, x):
                return x[:, 0] * 2 + x[:, 1]
    """)
    network = author.module.Net()
    csv = author.folder / "sample.csv"
    frame = pd.DataFrame(
        {"id": [0, 1], "born": ["1970-01-03", "1969-12-31"], "seen": ["1970-01-01 12:00:00"] * 2}
    )
    frame.to_csv(csv, index=False)
    packaged = author.package(
        "--set", "key=id", "--activation", "none", "--set", "numbers={born: days, seen: days}",
        network=f"{author.module.__name__}:Net", weights=author.save(network), sample=str(csv),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert score(author) == {0: 4.5, 1: -1.5}


def test_a_csv_job_of_a_model_of_lists_is_refused(author_of: Write) -> None:
    author = author_of(SUM)
    pack(author, author.module.Net(), {"id": [0], "events": pa.array([[1.0, 2.0]])})
    (author.folder / "in.csv").write_text("id,events\n0,[1 2]\n")
    job = author.folder / "model.job.yaml"
    fields = yaml.safe_load(job.read_text())
    fields["source"] = {
        "paths": [str(author.folder / "in.csv")],
        "format": "csv",
        "key": "id",
        "types": {"id": "int64"},
    }
    job.write_text(yaml.safe_dump(fields))
    run_job(job).refused("CSV cannot be read as list<item: double>", status=2)


@pytest.mark.parametrize("kind", [pa.list_(pa.float64(), 2), pa.large_list(pa.float32())], ids=str)
def test_lists_are_carried_as_the_file_has_them(kind: pa.DataType, author_of: Write) -> None:
    author = author_of(SUM)
    columns = {"id": [0, 1], "events": pa.array([[1.0, 2.0], [3.0, 4.0]], kind)}
    pack(author, author.module.Net(), columns)
    outcome = run_job(author.folder / "model.job.yaml", settings={"source.passthrough": ["events"]})
    found = outcome.rows()
    assert found["output"].to_pylist() == [3.0, 7.0]
    carried = found.schema.field("events").type
    assert (type(carried), carried.value_type) == (type(kind), kind.value_type)


@pytest.mark.parametrize(
    ("column", "flags", "words"),
    [
        (pa.array([[], []], pa.list_(pa.int8())), (), "no list of the sample has an item"),
        (pa.array([[], []]), (), "no list of the sample has an item"),
        (pa.array([["a"], []]), (), "which is no number"),
        (pa.array([{"b": 1}] * 2), (), "which is no number"),
        (pa.array([[[1], [1, 2]]] * 2), (), "have 1 to 2 items"),
        (pa.array([[[[[1]]]]] * 2), (), "at most 3"),
        (pa.array([[1]] * 2), ("lengths.events=1000000000",), "lists of 1,000,000,000 items"),
        (pa.array([[1]] * 2), ("lengths.events=10000000",), "say a smaller lengths.events"),
        (pa.array([1, 2]), ("lengths.events=3",), "and no list"),
        (pa.array([1, 2]), ("numbers.events=days",), "no date, time or duration"),
        (pa.array([1, 2]), ("numbers.born=days",), "the sample has no column 'born'"),
        (pa.array([1, 2]), ("dtypes.event=int8",), "did you mean events?"),
    ],
)
def test_what_is_not_taken_is_told(
    column: pa.Array, flags: tuple[str, ...], words: str, author_of: Write
) -> None:
    author = author_of(SUM)
    settings = [word for flag in flags for word in ("--set", flag)]
    columns = {"id": [0, 1], "events": column}
    package(author, author.module.Net(), columns, *settings).refused(words)


def test_a_shard_without_any_list_has_its_rows_rejected(author_of: Write) -> None:
    author = author_of(SUM)
    pack(author, author.module.Net(), {"id": [0], "events": pa.array([[1.0, 2.0]])})
    shard = author.folder / "shard.parquet"
    pq.write_table(pa.table({"id": [0, 1], "events": pa.nulls(2)}), shard)
    settings = {"source.paths": str(shard), "errors.max_rejected_rows": 2}
    outcome = run_job(author.folder / "model.job.yaml", settings=settings)
    assert [record["row"] for record in outcome.rejected()] == [0, 1]


@pytest.mark.parametrize(
    ("gives", "is_told"),
    [
        ("events.mean(1)", True),
        ("events.sum(1)", False),
        ("(events * events_mask).sum(1) / events_mask.sum(1).clamp(min=1)", False),
        ("self.layer(events)[:, 0]", False),
    ],
)
def test_an_author_is_told_that_scores_hang_on_the_padding(
    gives: str, is_told: bool, author_of: Write
) -> None:
    author = author_of(f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(3, 1)

            def forward(self, events, events_mask):
                return {gives}
    """)
    columns = {"id": [0, 1, 2], "events": pa.array([[1.0, 2.0, 4.0], [8.0], []])}
    packaged = package(author, author.module.Net(), columns)
    assert packaged.status == 0, packaged.error
    assert ("note       scores change" in packaged.said) == is_told


def test_an_array_leaves_no_number_out_in_silence(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, path):
                return path.sum((1, 2))
    """)
    columns = {"id": [0], "points": pa.array([[[1.0, 2.0]]]), "age": [3.0]}
    asked = package(author, author.module.Net(), columns)
    asked.refused("the array points and the numbers age", "say inputs")


TEXTS = ["red", "green", "red", "blue"]
FRAMES: dict[str, Any] = {
    "pandas": pd.DataFrame({"colour": TEXTS}),
    "pandas category": pd.DataFrame({"colour": pd.Categorical(TEXTS)}),
    "polars": pl.DataFrame({"colour": TEXTS}),
    "polars Categorical": pl.DataFrame({"colour": TEXTS}, schema={"colour": pl.Categorical}),
    "polars Enum": pl.DataFrame(
        {"colour": TEXTS}, schema={"colour": pl.Enum(["blue", "green", "red"])}
    ),
}


def write_frame(frame: Any, path: Any) -> str:
    write = frame.to_parquet if isinstance(frame, pd.DataFrame) else frame.write_parquet
    write(path)
    return str(path)


@pytest.mark.parametrize("sampled", FRAMES)
def test_texts_of_every_writer_are_texts(sampled: str, author: Author) -> None:
    """A sample of one writer, and shards of all others."""
    network = author.module.Net()
    steps = "preprocess=[{step: one_hot, columns: [colour], unknown: reject}]"
    packaged = author.package(
        "--activation", "none", "--set", steps, network=f"{author.module.__name__}:Net",
        weights=author.save(network), sample=write_frame(FRAMES[sampled], author.folder / "sample.parquet"),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert author.opened().card.columns[0].type == "string"
    marks = torch.tensor([[text == known for known in ("blue", "green", "red")] for text in TEXTS])
    with torch.inference_mode():
        expected = network(marks.float())[:, 0].tolist()
    shards = author.folder / "shards"
    shards.mkdir()
    for number, frame in enumerate(FRAMES.values()):
        write_frame(frame, shards / f"{number}.parquet")
    outcome = run_job(author.folder / "model.job.yaml", settings={"source.paths": str(shards)})
    assert outcome.scored()["output"].to_pylist() == pytest.approx(expected * len(FRAMES), rel=1e-6)


def test_flags_of_a_csv_file(author_of: Write) -> None:
    """As pandas writes them."""
    author = author_of("""
        class Net(nn.Module):
            def forward(self, flag, amount):
                assert flag.dtype == torch.bool
                return torch.where(flag, amount, -amount)
    """)
    csv = author.folder / "sample.csv"
    pd.DataFrame({"id": [0, 1], "flag": [True, False], "amount": [1.5, 2.5]}).to_csv(
        csv, index=False
    )
    packaged = author.package(
        "--set", "key=id", "--activation", "none", network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()), sample=str(csv),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert score(author) == {0: 1.5, 1: -2.5}


def test_dtypes_are_tried_in_turn(author_of: Write) -> None:
    """Indices of the widest kind, and numbers that only their own dtype holds."""
    author = author_of("""
        class Net(nn.Module):
            def forward(self, kind, large):
                if large.dtype != torch.uint64:
                    raise TypeError(large.dtype)
                return nn.functional.one_hot(kind.long(), 3)[:, 2] + (large.long() != 0)
    """)
    columns = {
        "id": [0, 1],
        "kind": pa.array([0, 2], pa.int32()),
        "large": pa.array([2**63 + 1, 1], pa.uint64()),
    }
    packed = pack(author, author.module.Net(), columns)
    assert packed.card.inputs["large"].dtype == "uint64"
    author_2 = author_of("""
        class Net(nn.Module):
            def forward(self, kind):
                return nn.functional.one_hot(kind, 3)[..., 2].float()
    """)
    columns = {"id": [0, 1], "kind": pa.array([[0], [2]], pa.list_(pa.int32()))}
    flags = ["--set", "inputs.kind=kind"]
    packaged = author_2.package(
        "--set", "key=id", "--activation", "none", *flags, output="second",
        network=f"{author_2.module.__name__}:Net", weights=author_2.save(author_2.module.Net()),
        sample=author_2.sample(**columns),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert author_2.opened("second").card.inputs["kind"].dtype == "int64"


def test_files_of_a_sample_may_differ_in_form_alone(author_of: Write) -> None:
    author = author_of(SUM)
    folder = author.folder / "samples"
    folder.mkdir()
    events = [[1.0, 2.0], [3.0, 4.0]]
    pl.DataFrame({"id": [0, 1], "events": events}).write_parquet(folder / "a.parquet")
    pd.DataFrame({"id": [2, 3], "events": events}).to_parquet(folder / "b.parquet")
    fixed = pa.table({"id": [4, 5], "events": pa.array(events, pa.list_(pa.float64(), 2))})
    pq.write_table(fixed, folder / "c.parquet")
    fields = {
        "network": f"{author.module.__name__}:Net",
        "weights": author.save(author.module.Net()),
        "sample": str(folder),
        "key": "id",
        "activation": "none",
    }
    packaged = author.package(**fields)
    assert packaged.status == 0, packaged.error
    assert score(author) == {key: [3.0, 7.0][key % 2] for key in range(6)}
    pq.write_table(pa.table({"id": [6], "events": ["a"]}), folder / "d.parquet")
    author.package(**fields, output="o").refused("differ in column 'events'", "string", status=3)
    pq.write_table(pa.table({"id": [6]}), folder / "d.parquet")
    author.package(**fields, output="o").refused("differ in column 'events'", status=3)
