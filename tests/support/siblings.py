"""Which files are parts of which: see `SIBLINGS` of test_architecture.py."""

SIBLINGS_OF_CSV = {
    "transforms.formats.csv": {
        "transforms.formats.csv_blocks",
        "transforms.formats.csv_bytes",
        "transforms.formats.csv_dialect",
        "transforms.formats.csv_split",
        "transforms.formats.csv_values",
    },
    "transforms.formats.csv_numbers": {"transforms.formats.csv_dialect"},
}
# Tables with a log.
SIBLINGS_OF_LAKES = {
    "transforms.formats.table_files": {
        "transforms.formats.constant_columns",
        "transforms.formats.live_rows",
        "transforms.formats.parquet_footer",
        "transforms.formats.table_layout",
        "transforms.lakes.deleted_rows",
        "transforms.lakes.stored_files",
    },
    "transforms.formats.table_layout": {
        "transforms.formats.constant_columns",
        "transforms.lakes.log_values",
    },
    "transforms.lakes.deleted_rows": {"transforms.lakes.roaring"},
    "transforms.lakes.delta_checkpoint": {"transforms.formats.parquet_sizes"},
    "transforms.lakes.delta": {
        "transforms.lakes.deleted_rows",
        "transforms.lakes.delta_log",
        "transforms.lakes.delta_schema",
        "transforms.lakes.delta_statistics",
        "transforms.lakes.inside",
    },
    "transforms.lakes.delta_log": {"transforms.lakes.delta_checkpoint"},
    "transforms.lakes.delta_statistics": {
        "transforms.lakes.log_bounds",
        "transforms.lakes.log_values",
    },
    "transforms.lakes.iceberg": {
        "transforms.lakes.deleted_rows",
        "transforms.lakes.iceberg_files",
        "transforms.lakes.iceberg_filter",
        "transforms.lakes.iceberg_schema",
        "transforms.lakes.iceberg_statistics",
        "transforms.lakes.inside",
        "transforms.lakes.puffin",
    },
    "transforms.lakes.iceberg_avro": {
        "transforms.formats.avro_blocks",
        "transforms.formats.avro_schema",
        "transforms.formats.avro_types",
        "transforms.formats.csv_bytes",
    },
    "transforms.lakes.iceberg_files": {
        "transforms.formats.csv_bytes",
        "transforms.lakes.iceberg_avro",
        "transforms.lakes.inside",
    },
    "transforms.lakes.iceberg_statistics": {"transforms.lakes.log_bounds"},
    "transforms.lakes.iceberg_filter": {"transforms.where"},
    "transforms.lakes.puffin": {"transforms.lakes.deleted_rows"},
    "transforms.lakes.log_bounds": {"transforms.lakes.log_values"},
}
SIBLINGS_OF_SUMMARIES = {
    "transforms.publish": {
        "transforms.announce",
        "transforms.hold",
        "transforms.output.books",
        "transforms.output.broken_shards",
        "transforms.output.manifest",
        "transforms.output.published_checks",
        "transforms.output.published_files",
        "transforms.output.published_monitor",
        "transforms.output.published_summaries",
    },
    "transforms.preprocess": {
        "transforms.checks.column_check",
        "transforms.checks.failed_rows",
        "transforms.preprocess_rows",
    },
    "transforms.checks.check_counts": {"transforms.checks.column_check"},
    "transforms.checks.findings": {
        "transforms.checks.check_counts",
        "transforms.checks.column_check",
        "transforms.checks.unique_values",
    },
    "transforms.output.published_checks": {
        "transforms.checks.check_counts",
        "transforms.checks.findings",
        "transforms.checks.unique_values",
    },
    "transforms.checks.unique_values": {
        "transforms.checks.column_check",
        "transforms.checks.value_digests",
    },
    "transforms.checks.failed_rows": {"transforms.checks.column_check"},
    "transforms.checks.column_check": {"transforms.exact_comparison", "transforms.where"},
    "transforms.output.compared_reference": {
        "transforms.output.encoded_table",
        "transforms.summaries.profile_schema",
    },
    "transforms.output.published_monitor": {
        "transforms.output.compared_reference",
        "transforms.output.stored_summary",
    },
    "transforms.summaries.merged_profiles": {
        f"transforms.summaries.{part}"
        for part in ("column", "known", "numbers", "profile_schema", "profile_table", "reference")
    },
    "transforms.summaries.training_profile": {
        "transforms.summaries.profile_schema",
        "transforms.summaries.reference",
        "transforms.summaries.values",
    },
    "transforms.summaries.profile": {
        "transforms.preprocess_rows",
        "transforms.summaries.column",
        "transforms.summaries.profile_schema",
        "transforms.summaries.profile_table",
        "transforms.summaries.reference",
    },
    "transforms.summaries.profile_table": {
        f"transforms.summaries.{part}"
        for part in (
            "column",
            "first_bits",
            "moments",
            "numbers",
            "profile_schema",
            "reference",
            "values",
        )
    },
    "transforms.summaries.known": {"transforms.summaries.numbers"},
    "transforms.summaries.reference": {
        "transforms.summaries.known",
        "transforms.summaries.numbers",
    },
    "transforms.summaries.column": {
        "transforms.summaries.known",
        "transforms.summaries.numbers",
        "transforms.summaries.values",
    },
    "transforms.summaries.numbers": {
        "transforms.summaries.first_bits",
        "transforms.summaries.moments",
    },
    "transforms.output.published_summaries": {
        "transforms.output.encoded_table",
        "transforms.output.many_requests",
        "transforms.output.published_files",
        "transforms.output.stored_summary",
    },
}
FOUNDATION_OF_LAKES = {
    "transforms.broken_budget",
    "transforms.broken_shard",
    "transforms.limits",
    "transforms.lakes.choice",
    "transforms.lakes.counts",
    "transforms.lakes.delta_actions",
    "transforms.lakes.snapshot",
    "transforms.lakes.table",
}
