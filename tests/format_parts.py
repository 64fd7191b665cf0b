"""What each file of transforms/formats may import of the others, beside the foundation; the first formats stand in test_architecture.py."""

FORMAT_PARTS = {
    "arrow_ipc": ("cast_rows", "csv_bytes", "ipc_messages"),
    "avro": ("avro_blocks", "avro_rows", "avro_schema", "avro_types", "cast_rows", "csv_bytes"),
    "avro_blocks": ("avro_codecs", "csv_bytes"),
    "avro_columns": ("avro_types",),
    "avro_rows": ("avro_blocks", "avro_columns", "avro_types"),
    "avro_schema": ("avro_types",),
    "csv_output": ("csv_dialect", "csv_table"),
    "json_lines_output": ("csv_output", "json_preview", "json_values"),
    "json_table": ("json_parse", "json_text"),
    "orc": ("cast_rows", "orc_footer"),
    "cast_rows": ("broken_texts", "parquet_casts"),
    "json_first": ("csv_records", "json_parse", "json_shape"),
    "json_halving": ("csv_records",),
    "json_lines": ("csv_archives", "csv_bytes", "csv_split", "json_first", "json_parse", "json_text"),
    "json_parse": ("csv_records", "json_halving", "json_reasons", "json_shape", "json_types", "parquet_casts"),
    "json_shape": ("csv_dialect", "csv_records"),
    "json_text": ("csv_bytes", "csv_dialect", "csv_record_reader", "csv_records", "csv_text"),
    "json_types": ("csv_values", "parquet_casts"),
    "parquet": (
        "cast_rows", "parquet_batches", "parquet_footer", "parquet_inspection", "parquet_int96", "parquet_layout",
        "parquet_sections", "parquet_sizes", "parquet_split", "parquet_statistics", "broken_texts",
        "parquet_ways",
    ),
    "parquet_batches": (
        "parquet_page_index", "parquet_pages", "parquet_part_pages", "parquet_split", "parquet_ways",
    ),
    "parquet_group_pages": ("thrift",),
    "parquet_page_bounds": ("parquet_group_pages", "parquet_statistics"),
    "parquet_page_index": (
        "parquet_footer", "parquet_given_file", "parquet_group_pages", "parquet_page_values", "parquet_prefix",
        "parquet_told_group", "thrift",
    ),
    "parquet_page_values": ("parquet_group_pages", "thrift"),
    "parquet_page_heads": ("parquet_given_file", "thrift"),
    "parquet_pages": (
        "parquet_given_file", "parquet_group_pages", "parquet_page_heads", "parquet_told_group", "parquet_ways",
        "thrift",
    ),
    "parquet_part_pages": (
        "parquet_footer", "parquet_given_file", "parquet_group_pages", "parquet_page_heads", "parquet_page_index",
        "parquet_told_group", "thrift",
    ),
    "parquet_prefix": ("thrift",),
    "parquet_sections": (
        "parquet_footer", "parquet_group_pages", "parquet_page_bounds", "parquet_page_index", "parquet_prefix",
        "parquet_row_ranges", "parquet_split", "parquet_statistics",
    ),
    "parquet_sizes": ("parquet_footer",),
    "parquet_told_group": ("parquet_given_file", "parquet_prefix", "thrift"),
    "broken_texts": ("parquet_ways",),
}  # fmt: skip
