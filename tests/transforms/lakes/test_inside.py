"""Where the files are that a log names: below the table, or in a folder that the job allows."""

import pytest

from configs.errors import InputError
from transforms.lakes.inside import find_root, place_file


@pytest.mark.parametrize(
    ("table", "path", "place"),
    [
        ("/t", "a/b.parquet", "/t/a/b.parquet"),
        ("/t", "/t/a", "/t/a"),
        ("/t", "file:/t/a", "/t/a"),
        ("/t", "file:///t/a", "/t/a"),
        ("/t", "/allowed/a", "/allowed/a"),
        ("/", "/a", "/a"),
        ("s3://b/t", "a", "s3://b/t/a"),
        ("s3://b/t", "s3a://b/t/a", "s3://b/t/a"),
        ("s3://b/t", "s3n://b/t/a", "s3://b/t/a"),
        ("s3://b/t", "s3://others/o/a", "s3://others/o/a"),
    ],
)
def test_a_file_has_one_place(table: str, path: str, place: str) -> None:
    assert place_file(table, path, ("/allowed/", "s3://others/o")) == place


@pytest.mark.parametrize("table", ["/t", "s3://b/t"])
@pytest.mark.parametrize("path", ["", "a//b", "./a", "a/..", "a/", "a\0b", "a::b"])
def test_a_path_with_another_spelling_is_refused(table: str, path: str) -> None:
    with pytest.raises(InputError, match=r"its log names .*; restore the log"):
        place_file(table, path, ())


@pytest.mark.parametrize(
    ("path", "folder"),
    [("/tt/a", "/tt"), ("/a", "/a"), ("file:///o/x/a", "/o/x"), ("s3a://b/t/a", "s3://b/t")],
)
def test_what_is_elsewhere_is_refused_with_the_folder_to_allow(path: str, folder: str) -> None:
    with pytest.raises(InputError) as refused:
        place_file("/t", path, ("/t2",))
    assert f"'source.outside=[{folder}]'" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "root"), [("/t/", "/t"), ("file:///t", "/t"), ("s3a://b/t/", "s3://b/t")]
)
def test_a_table_is_known_by_one_name(url: str, root: str) -> None:
    assert find_root(url) == root
