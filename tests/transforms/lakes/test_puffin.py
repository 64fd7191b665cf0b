"""Which deletion vectors a Puffin file holds, by footers that are written as the specification says."""

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from transforms.lakes import puffin
from transforms.lakes.puffin import PuffinVectors
from transforms.lakes.snapshot import Deletions

DATA = "/t/a.parquet"


def blob(path: str = DATA, **changes: Any) -> dict[str, Any]:
    said = {"referenced-data-file": path, "cardinality": "3"}
    vector = {"type": "deletion-vector-v1", "offset": 4, "length": 9, "properties": said}
    return {**vector, **changes}


def write(path: Path, *blobs: Any, content: bytes | None = None, flags: bytes = bytes(4)) -> str:
    footer = json.dumps({"blobs": blobs}).encode() if content is None else content
    size = len(footer).to_bytes(4, "little")
    path.write_bytes(b"PFA1" + b"PFA1" + footer + size + flags + b"PFA1")
    return str(path)


def test_vectors_are_found_by_their_data_file(tmp_path: Path) -> None:
    other = blob("/t/b.parquet", offset=0, length=0)
    statistics = {"type": "apache-datasketches-theta-v1"}
    url = write(tmp_path / "d.puffin", statistics, other, blob(), blob(offset=40))
    vectors = PuffinVectors()
    first = Deletions("puffin", url=url, offset=4, bytes=9, rows=3)
    second = Deletions("puffin", url=url, offset=40, bytes=9, rows=3)
    assert vectors.find(url, DATA) == [first, second]
    assert [found.offset for found in vectors.find(url, "/t/b.parquet")] == [0]
    assert vectors.find(url, "/t/none.parquet") == ()
    # Read once, for all data files.
    Path(url).unlink()
    assert vectors.find(url, DATA) == [first, second]


def test_rows_that_nobody_counted_are_not_known(tmp_path: Path) -> None:
    said = {"referenced-data-file": DATA}
    url = write(tmp_path / "d.puffin", blob(properties=said))
    (found,) = PuffinVectors().find(url, DATA)
    assert found.rows is None


@pytest.mark.parametrize(
    "broken",
    [
        blob(offset=-1),
        blob(length=-1),
        blob(offset="4"),
        blob(length=True),
        blob(length=float("inf")),
        blob(properties={"referenced-data-file": DATA, "cardinality": float("inf")}),
        blob(properties={"referenced-data-file": DATA, "cardinality": "-1"}),
        blob(properties={}),
        blob(**{"compression-codec": "zstd"}),
        {"offset": 4},
        [],
    ],
)
def test_what_is_no_vector_is_refused(tmp_path: Path, broken: Any) -> None:
    url = write(tmp_path / "d.puffin", broken)
    with pytest.raises(InputError, match=r"d.puffin: .* whose footer is not readable; restore it"):
        PuffinVectors().find(url, DATA)


@pytest.mark.parametrize("flag", range(4))
def test_a_footer_that_is_packed_is_refused(tmp_path: Path, flag: int) -> None:
    flags = bytes(int(number == flag) for number in range(4))
    url = write(tmp_path / "d.puffin", blob(), flags=flags)
    with pytest.raises(InputError, match="whose footer is not readable"):
        PuffinVectors().find(url, DATA)


def test_a_file_that_is_cut_or_none_is_refused(tmp_path: Path) -> None:
    url = write(tmp_path / "d.puffin", blob())
    whole = Path(url).read_bytes()
    for content in (b"", b"PFA1", whole[:-1], whole[20:], b"PFA1" + bytes(8)):
        Path(url).write_bytes(content)
        with pytest.raises(InputError, match="whose footer is not readable"):
            PuffinVectors().find(url, DATA)
    # What stands before the footer is nobody's here.
    Path(url).write_bytes(whole[8:])
    assert len(PuffinVectors().find(url, DATA)) == 1
    Path(url).unlink()
    with pytest.raises(InputError, match=r"cannot be read: No such file"):
        PuffinVectors().find(url, DATA)


def test_a_footer_is_as_large_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert puffin._MOST_FOOTER_BYTES == 64 * 1024**2
    footer = json.dumps({"blobs": [blob()]}).encode()
    url = write(tmp_path / "d.puffin", content=footer)
    monkeypatch.setattr(puffin, "_MOST_FOOTER_BYTES", len(footer))
    assert len(PuffinVectors().find(url, DATA)) == 1
    monkeypatch.setattr(puffin, "_MOST_FOOTER_BYTES", len(footer) - 1)
    with pytest.raises(InputError, match="whose footer is not readable"):
        PuffinVectors().find(url, DATA)


def test_a_footer_that_is_nested_deeply_is_refused(tmp_path: Path) -> None:
    url = write(tmp_path / "d.puffin", content=b"[" * 100_000)
    with pytest.raises(InputError, match="whose footer is not readable"):
        PuffinVectors().find(url, DATA)
