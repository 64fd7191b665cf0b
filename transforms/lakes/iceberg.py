"""An Iceberg table at one snapshot: its columns, its data files, and their deleted rows.

pyiceberg reads metadata and manifests, through this program's own files. What a table's own
properties name (`py-io-impl`) is never imported: whoever wrote the table may be a stranger.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
import json
from typing import Any, NamedTuple

from configs.errors import InputError, JobError, Refusal
from storage import files
from transforms.lakes.choice import Choice
from transforms.lakes.deleted_rows import POSITIONS
from transforms.lakes.iceberg_schema import list_columns, write_value
from transforms.lakes.iceberg_statistics import read_statistics
from transforms.lakes.inside import find_root, place_file
from transforms.lakes.puffin import PuffinVectors
from transforms.lakes.snapshot import DataFile, Deletions, Snapshot, TableColumn

_METADATA = ".metadata.json"
_FOLDER = "metadata"
_HINT = "version-hint.text"
_NAME_MAPPING = "schema.name-mapping.default"


def read_iceberg(url: str, choice: Choice) -> Snapshot:
    """Return a table at a snapshot.

    Args:
        url: its metadata file, its folder where that has a version hint, or its name in a catalog.
        choice: which snapshot, and which folders outside of it its files may be in.

    Raises:
        InputError: it is no Iceberg table, or cannot be read.
        JobError: there is no such snapshot, catalog or library.
    """
    try:
        import pyiceberg.table  # noqa: F401 - asked for first, to tell what is missing
    except ImportError as error:
        raise JobError(
            "source.format iceberg: pyiceberg is not installed; install the extra iceberg"
        ) from error
    try:
        if choice.catalog is not None:
            url = _ask_catalog(choice.catalog, url)
        metadata_url = _find_metadata(url)
        return _read_table(metadata_url, choice)
    except Refusal:
        raise
    except OSError as error:
        raise InputError(
            f"{url}: cannot be read: {error.strerror or type(error).__name__}; "
            "restore what is missing, or check credentials and permissions"
        ) from error
    # Whatever a library raises of a stranger's file; its text may hold values.
    except Exception as error:
        raise InputError(
            f"{url}: is not readable as an Iceberg table ({type(error).__name__}); "
            "name its newest metadata file, metadata/....metadata.json, or write the table again"
        ) from error


def _ask_catalog(catalog: str, name: str) -> str:
    """Return where the newest metadata file of a table is."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.io.pyarrow import PyArrowFileIO

    try:
        # Some keep a connection, which nobody needs once the table is found.
        with closing(load_catalog(catalog)) as opened:
            known: Any = opened
            # Else it would import what the table's own properties name.
            known._load_file_io = lambda properties=None, location=None: PyArrowFileIO()
            table = known.load_table(name)
    except Exception as error:
        raise JobError(
            f"source.catalog {catalog}: does not give the table {name} ({type(error).__name__}); "
            "look at both names, and at pyiceberg's settings (~/.pyiceberg.yaml or "
            f"PYICEBERG_CATALOG__{catalog.upper()}__URI)"
        ) from error
    return find_root(table.metadata_location)


def _find_metadata(url: str) -> str:
    """Return the metadata file that a job means."""
    if url.endswith(_METADATA):
        return url
    hint = files.read(f"{url}/{_FOLDER}/{_HINT}")
    if hint is None:
        raise InputError(
            f"{url}: does not say which of its metadata files is the newest; name that file, "
            f"{url}/{_FOLDER}/....metadata.json, or the table's name in a catalog and source.catalog"
        )
    word = hint.decode(errors="replace").strip()
    if not word.isdigit():
        raise InputError(f"{url}: its {_HINT} holds no version; name its metadata file")
    return f"{url}/{_FOLDER}/v{word}{_METADATA}"


def _read_table(url: str, choice: Choice) -> Snapshot:
    from transforms.lakes.iceberg_files import TableIO

    # The metadata file stands in a folder of the table's.
    folder, _, _ = url.rpartition("/")
    root, _, _ = folder.rpartition("/")
    table_io = TableIO(root, choice.outside)
    table = _open_table(url, table_io)
    metadata = table.metadata
    snapshot = _choose_snapshot(url, table, choice)
    chosen_by = (choice.version, choice.ref, choice.moment)
    is_newest = chosen_by == (None, None, None)
    scan = table.scan(snapshot_id=snapshot.snapshot_id)
    # Columns that came later, without new rows, are the newest's alone.
    schema = table.schema() if is_newest else scan.projection()
    mapped = _read_name_mapping(metadata)
    columns = list_columns(schema.fields, mapped)
    manifests = snapshot.manifests(table_io)
    _refuse_equality_deletes(url, snapshot, manifests, table_io)
    defaults = _list_defaults(schema.fields, columns)
    listed = _Listed(url, root, metadata, columns, defaults, choice)
    count = _count_files(manifests)
    found, pruned = _list_files(scan, listed, count, is_newest)
    return Snapshot(
        "iceberg",
        root,
        version=snapshot.snapshot_id,
        columns=tuple(columns),
        files=tuple(found),
        pruned=pruned,
    )


def _open_table(url: str, table_io: Any) -> Any:
    """Return pyiceberg's table of a metadata file."""
    from pyiceberg.catalog.noop import NoopCatalog
    from pyiceberg.serializers import FromInputFile
    from pyiceberg.table import StaticTable

    source = table_io.new_input(url)
    if not source.exists():
        raise InputError(f"{url}: does not exist; name the table's newest metadata file")
    metadata = FromInputFile.table_metadata(source)
    # Of a catalog that can do nothing: what the table's properties name is neither asked nor imported.
    catalog = NoopCatalog("none")
    return StaticTable(
        identifier=("table", url),
        metadata=metadata,
        metadata_location=url,
        io=table_io,
        catalog=catalog,
    )


class _Listed(NamedTuple):
    """What is known of a table while its data files are listed."""

    url: str
    root: str
    metadata: Any
    columns: list[TableColumn]
    defaults: Mapping[str, str | None]
    choice: Choice


def _list_files(
    scan: Any,
    listed: _Listed,
    count: int | None,
    is_newest: bool,
) -> tuple[list[DataFile], int]:
    """Return the data files that may have rows that the job wants, and how many others there are.

    Args:
        scan: pyiceberg's, of the snapshot.
        listed: what is known of the table.
        count: of all data files; None where nobody knows.
        is_newest: whether columns have the names of today.
    """
    from transforms.lakes.iceberg_filter import make_row_filter

    where = listed.choice.where
    # pyiceberg knows columns by their names of today; and what it leaves out can only be counted where
    # all of them are.
    if where is not None and is_newest and count is not None:
        types = {column.name: column.type for column in listed.columns}
        row_filter = make_row_filter(where, types)
        scan = scan.filter(row_filter)
    vectors = PuffinVectors()
    found: dict[str, DataFile] = {}
    for task in scan.plan_files():
        file = _make_file(task, listed, vectors)
        # Its rows would be scored twice.
        if file.url in found:
            raise InputError(
                f"{listed.url}: its snapshot names {file.url} twice; "
                "rewrite the table's manifests, and score the new snapshot"
            )
        found[file.url] = file
    pruned = 0
    if where is not None and count is not None:
        left_out = count - len(found)
        # A count is a stranger's number.
        pruned = max(0, left_out)
    data_files = list(found.values())
    return data_files, pruned


def _count_files(manifests: Sequence[Any]) -> int | None:
    """Return how many data files manifests hold; None where they do not tell."""
    from pyiceberg.manifest import ManifestContent

    count = 0
    for manifest in manifests:
        if manifest.content != ManifestContent.DATA:
            continue
        added = manifest.added_files_count
        existing = manifest.existing_files_count
        # Of the first version of the format they may be left out.
        if added is None or existing is None:
            return None
        count += added + existing
    return count


def _choose_snapshot(
    url: str,
    table: Any,
    choice: Choice,
) -> Any:
    if choice.version is not None:
        what = f"source.snapshot {choice.version}"
        snapshot = table.snapshot_by_id(choice.version)
    elif choice.ref is not None:
        what = f"source.ref {choice.ref}"
        snapshot = table.snapshot_by_name(choice.ref)
    elif choice.moment is not None:
        what = f"source.timestamp {choice.moment.isoformat()}"
        seconds = choice.moment.timestamp()
        milliseconds = int(seconds * 1_000)
        snapshot = table.snapshot_as_of_timestamp(milliseconds)
    else:
        snapshot = table.current_snapshot()
        if snapshot is None:
            raise InputError(f"{url}: its table has no snapshot yet, so there is nothing to score")
        return snapshot
    if snapshot is None:
        count = len(table.metadata.snapshots)
        raise JobError(
            f"{what}: {url} has no such snapshot; it may have expired: choose one of "
            f"{count} that there are, or leave it out for the newest"
        )
    return snapshot


def _read_name_mapping(metadata: Any) -> Mapping[int, list[str]]:
    """Return what files without numbers call the columns."""
    text = metadata.properties.get(_NAME_MAPPING)
    if text is None:
        return {}
    mapped = {}
    for entry in json.loads(text):
        # Names without a number are of columns that the table does not have.
        if "field-id" in entry:
            number = int(entry["field-id"])
            mapped[number] = [str(name) for name in entry["names"]]
    return mapped


def _refuse_equality_deletes(
    url: str,
    snapshot: Any,
    manifests: Sequence[Any],
    table_io: Any,
) -> None:
    """Refuse deletions that name values and not rows: pyiceberg reads none of them."""
    from pyiceberg.manifest import DataFileContent, ManifestContent

    for manifest in manifests:
        if manifest.content != ManifestContent.DELETES:
            continue
        # What later snapshots have taken back deletes nothing.
        entries = manifest.fetch_manifest_entry(table_io, discard_deleted=True)
        for entry in entries:
            if entry.data_file.content == DataFileContent.EQUALITY_DELETES:
                raise InputError(
                    f"{url}: snapshot {snapshot.snapshot_id} deletes rows by their values (equality "
                    "deletes), which is not read here; compact the table (rewrite_data_files), and "
                    "score the new snapshot"
                )


def _list_defaults(
    fields: Any,
    columns: list[TableColumn],
) -> dict[str, str | None]:
    """Return what older files have in columns that came later."""
    defaults = {}
    for field, column in zip(fields, columns, strict=True):
        default = getattr(field, "initial_default", None)
        if default is not None:
            defaults[column.name] = write_value(default, column.type)
    return defaults


def _make_file(
    task: Any,
    listed: _Listed,
    vectors: PuffinVectors,
) -> DataFile:
    columns = listed.columns
    choice = listed.choice
    file = task.file
    path = _get_path(file)
    url = place_file(listed.root, path, choice.outside)
    kind = _get_format(file)
    if kind != "parquet":
        raise InputError(
            f"{url}: is a data file in {kind}, and only Parquet is read here; "
            "rewrite the table's files in Parquet"
        )
    parted = _list_partition_values(file, listed.metadata, columns)
    # Of a column by which it is parted, a file has no default.
    values = {**listed.defaults, **parted}
    deletions = _list_deletions(task, listed, vectors)
    filtered_by = [column for column in columns if column.name in choice.filtered_by]
    bounds = read_statistics(file, parted, filtered_by)
    return DataFile(url, values, deletions, bounds)


def _get_format(file: Any) -> str:
    """Return the format of a file, in small letters: `parquet`, `puffin`."""
    name = str(file.file_format.value)
    return name.lower()


def _list_deletions(
    task: Any,
    listed: _Listed,
    vectors: PuffinVectors,
) -> tuple[Deletions, ...]:
    """Return where the deleted rows of a data file are told."""
    # Deletions know a data file by its path as the table has it.
    data_path = _get_path(task.file)
    found: list[Deletions] = []
    # In one order, as what tells two readings of a file apart depends on it.
    for deleting in sorted(task.delete_files, key=_get_path):
        path = _get_path(deleting)
        place = place_file(listed.root, path, listed.choice.outside)
        if _get_format(deleting) == "puffin":
            found += vectors.find(place, data_path)
            continue
        positions = Deletions(POSITIONS, url=place, inline=data_path)
        found.append(positions)
    return tuple(found)


def _get_path(file: Any) -> str:
    return str(file.file_path)


def _list_partition_values(
    file: Any,
    metadata: Any,
    columns: list[TableColumn],
) -> dict[str, str | None]:
    """Return the columns by which files are parted, whose value a file may not repeat."""
    by_number = {column.field_id: column for column in columns}
    specs = {spec.spec_id: spec for spec in metadata.partition_specs}
    # A table may be parted otherwise today.
    spec = specs[file.spec_id]
    values = {}
    for position, field in enumerate(spec.fields):
        column = by_number.get(field.source_id)
        # Buckets, days and the like tell no value.
        is_value = str(field.transform) == "identity"
        if column is not None and is_value:
            value = file.partition[position]
            values[column.name] = write_value(value, column.type)
    return values
