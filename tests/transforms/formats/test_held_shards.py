"""Which shards are read at once and held: small ones that are what they were when the run was planned."""

from pathlib import Path

import pytest

from configs.errors import InputError
from storage import inputs
from storage.kept_in_memory import is_kept
from tests.support.builders import make_unit
from transforms.batches import WorkUnit
from transforms.formats.held_shards import hold_small

SMALL_BYTES = 1 << 20


def write(path: Path, size_bytes: int) -> WorkUnit:
    """Write a shard of so many bytes; its unit is planned as it stands."""
    path.write_bytes(bytes(size_bytes))
    return make_unit(shard=str(path), version=inputs.read_version(str(path)))


@pytest.mark.parametrize(
    ("size_bytes", "is_small"),
    [(0, False), (1, True), (SMALL_BYTES, True), (SMALL_BYTES + 1, False)],
)
def test_a_shard_of_up_to_a_mib_is_held_while_it_is_read(
    size_bytes: int, is_small: bool, tmp_path: Path
) -> None:
    unit = write(tmp_path / "a", size_bytes)
    with hold_small(unit) as told:
        assert told is is_small
        assert is_kept(unit.shard) is is_small
    assert not is_kept(unit.shard)


def test_a_shard_that_changed_or_is_gone_is_refused(tmp_path: Path) -> None:
    unit = write(tmp_path / "a", 5)
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(InputError, match="changed"), hold_small(unit):
        pass
    (tmp_path / "a").unlink()
    with pytest.raises(InputError, match="changed"), hold_small(unit):
        pass
