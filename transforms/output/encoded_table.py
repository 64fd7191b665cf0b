"""A small table as the bytes of a Parquet file, written as all files of a run are."""

import pyarrow as pa

from transforms.formats.output import find_output_format, plain_parquet


def encode_table(table: pa.Table) -> bytes:
    """Return the bytes of a Parquet file of a table."""
    sink = pa.BufferOutputStream()
    look = plain_parquet(table.schema)
    writer = find_output_format(look.format).open_writer(sink, look)
    writer.write_table(table)
    writer.close()
    content = sink.getvalue()
    return content.to_pybytes()
