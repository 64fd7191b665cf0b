"""Numbers that the pages tell are those that the code works by: whoever changes one changes the other."""

import pytest

from configs import safe_yaml, several_refusals
from pipelines import tune
from pipelines.cli import metrics_file
from pipelines.planning import loading
from storage import disk, listing, lock, partition_names
from tests.support.repository import REPOSITORY
from transforms.checks import value_digests
from transforms.formats import (
    arrow_ipc,
    avro_codecs,
    avro_types,
    contents,
    csv_dialect,
    csv_split,
    file_list,
    held_shards,
    orc,
    orc_lists,
    parquet,
    parquet_split,
)
from transforms.output import partitioned_rows, progress_note, sorted_rows
from transforms.summaries import chosen_rows, column, first_bits, moments, values

MIB, GIB = 1 << 20, 1 << 30
BOMB = "1 GiB and 1 000 times the file's size"
SCORE, INPUT, FAILURES = "docs/score.md", "docs/input.md", "docs/failures.md"
LAKES, MONITOR = "docs/lakes.md", "docs/monitor.md"
STORES, CHECKS, SECURITY = "docs/object_stores.md", "docs/checks.md", "SECURITY.md"
TUNE = "docs/tune.md"
# By page: words as they stand there, the number that they say, and the one that the code has.
TOLD = [
    (INPUT, "more than 8 MiB", 8 * MIB, csv_dialect.BLOCK_BYTES),
    (INPUT, "beyond 128 MiB without quotes", 128 * MIB, csv_split._LOOKED_THROUGH_BYTES),
    (SCORE, "up to 256 MiB on a disk", 256 * MIB, csv_split._MOST_SAMPLED_BYTES),
    (SCORE, "32 MiB in a store", 32 * MIB, csv_split._MOST_SAMPLED_OF_STORE),
    (INPUT, "at most 64 MiB of contents", 64 * MIB, contents._BATCH_BYTES),
    (INPUT, "of a store 16 files are fetched at a time", 16, contents._THREADS),
    (INPUT, "is one request (32 at a time)", 32, loading._THREADS),
    (INPUT, "more than 64 MiB of a file waits", 64 * MIB, sorted_rows._RUN_BYTES),
    (FAILURES, "are named, up to 20", 20, several_refusals.MOST_REFUSED),
    (SCORE, "into 8 parts at most", 8, parquet_split._MOST_PARTS),
    (SCORE, "into units of up to 1,024 rows", 1_024, file_list.FILES_OF_A_UNIT),
    (SCORE, "looked at every second", 1.0, progress_note._SECONDS),
    (LAKES, "more than 10,000 folders", 10_000, partitioned_rows._MOST_FOLDERS),
    (LAKES, "longer than 255 bytes", 255, partition_names._MOST_BYTES),
    (LAKES, "into pieces of 32 MiB", 32 * MIB, csv_split.PIECE_BYTES),
    (LAKES, "one of more than 2 GiB is refused", 2 * GIB, arrow_ipc._MOST_MESSAGE_BYTES),
    (LAKES, f"{BOMB} is refused before it is unpacked", GIB, arrow_ipc._BOMB_BYTES),
    (LAKES, f"{BOMB} is refused before it is unpacked", 1_000, arrow_ipc._MAX_EXPANSION),
    (LAKES, f"more than {BOMB}, by the", GIB, parquet.BOMB_BYTES),
    (LAKES, f"more than {BOMB}, by the", 1_000, orc._MAX_EXPANSION),
    (LAKES, "may take 1 GiB in the file", GIB, orc_lists._MOST_STRIPE_BYTES),
    (LAKES, "and 4 GiB in memory", 4 * GIB, orc_lists._MOST_ROWS_BYTES),
    (LAKES, "a block of more than 64 MiB, unpacked", 64 * MIB, avro_codecs.MOST_BLOCK_BYTES),
    (LAKES, "`decimal` (exact, to 76", 76, avro_types._MOST_DIGITS),
    (STORES, "A shard of up to 1 MiB costs two", MIB, held_shards._SMALL_BYTES),
    (STORES, "eight at a time", 8, listing._THREADS),
    (MONITOR, "of at most 1 024 different ones", 1_024, values.MOST_VALUES),
    (MONITOR, "a text of more than 64 bytes", 64, values.MOST_BYTES),
    # Of the 52 bits of a fraction four are left: 16 of them.
    (MONITOR, "16 bins from each power of two", 52 - 4, first_bits._LEFT_OUT_BITS),
    (MONITOR, "A unit of up to 262,144 rows", 262_144, chosen_rows.MOST_WHOLE_ROWS),
    (MONITOR, "where at most a fourth of a batch's rows", 1 / 4, column._MOSTLY_EMPTY),
    (MONITOR, "in units of 2^-1074", 1_074, moments._DIGITS),
    (MONITOR, "and 2^-2148", 2_148, moments._DIGITS_OF_SQUARES),
    (CHECKS, "the first 128 bits of BLAKE2", 128 // 8, value_digests._DIGEST_BYTES),
    (TUNE, "up to 131,072 rows (`--rows`)", 131_072, tune._ROWS),
    (SECURITY, "at most 4 MiB, 64 levels", 4 * MIB, safe_yaml.MOST_BYTES),
    (SECURITY, "at most 4 MiB, 64 levels", 64, safe_yaml._DEEPEST),
    (SECURITY, "and 200 000 values", 200_000, safe_yaml._LARGEST),
    (SECURITY, "no integer of more than 64 bits", 64, safe_yaml._INTEGER_BITS),
    (SECURITY, "are for owner and group** (0640", 0o640, disk._FILE_MODE),
    (SECURITY, "are for owner and group** (0640", 0o640, lock._MODE),
    (SECURITY, "is for everybody (0644)", 0o644, metrics_file._MODE),
]


@pytest.mark.parametrize(("page", "words", "told", "kept"), TOLD)
def test_a_limit_is_the_one_that_its_page_tells(
    page: str, words: str, told: float, kept: float
) -> None:
    assert words in (REPOSITORY / page).read_text()
    assert kept == told
