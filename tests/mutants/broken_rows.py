"""Promises about rows: each is scored, left out or rejected, and counted."""

from tests.mutants.promise import Promise

ROWS = (
    Promise(
        "a row that the writer loses is missed",
        "transforms/output/part_writer.py",
        "Table.from_batches(self._pending, schema=schema)",
        "Table.from_batches(self._pending, schema=schema).slice(1)",
        ("tests/transforms/test_write.py",),
    ),
    Promise(
        "books that do not balance are not published",
        "transforms/output/books.py",
        "if rows_in != accounted:",
        "if rows_in < 0:",
        ("tests/transforms/test_publish.py",),
    ),
    Promise(
        "a unit that was not written whole is not published",
        "transforms/output/books.py",
        "if cover is None or not _has_rows(cover, unit):",
        "if cover is None or unit.index < 0:",
        ("tests/transforms/test_publish.py",),
    ),
    Promise(
        "a file that holds other rows than were written is not recorded",
        "transforms/output/part_file.py",
        "        if stored != self.rows:",
        "        if stored < 0:",
        ("tests/transforms", "tests/faults/test_disk.py"),
    ),
    Promise(
        "the error budget is exact: one row too many is too many",
        "transforms/output/books.py",
        "if rejected > count_allowed(",
        "if rejected - 1 > count_allowed(",
        ("tests/transforms/output/test_books.py", "tests/bad_rows/test_bad_models.py"),
    ),
    Promise(
        "a score that is not finite rejects its row",
        "transforms/predict.py",
        "        reasons |= found\n",
        "        reasons |= {}\n",
        ("tests/transforms/test_predict.py", "tests/bad_rows/test_bad_models.py"),
    ),
    Promise(
        "one bad row costs one row, and not its mini-batch",
        "model_zoo/scoring/mini_batches.py",
        "                pending += halve_window(window)\n",
        "                call.rejected |= dict.fromkeys(range(window.start, window.stop), error)\n",
        ("tests/model_zoo/scoring/test_mini_batches.py", "tests/bad_rows/test_bad_models.py"),
    ),
    Promise(
        "the last mini-batch is filled up, so that bits do not depend on how rows were cut",
        "model_zoo/scoring/mini_batches.py",
        "        batch_rows = self._fit(call.batch_rows)\n        pending",
        "        batch_rows = min(call.batch_rows, call.rows - start)\n        pending",
        ("tests/model_zoo/scoring/test_memory_and_hangs.py", "tests/pipelines/test_score.py"),
    ),
    Promise(
        "a rejected row has the number that it has in its file",
        "transforms/rejected.py",
        "        batch.row_numbers[positions],\n        reasons,\n",
        "        positions,\n        reasons,\n",
        ("tests/transforms/test_rejected.py", "tests/pipelines/test_score.py"),
    ),
    Promise(
        "a missing value is an error where the contract says so, and never filled",
        "transforms/preprocess_rows.py",
        '        if rule.missing == "error":\n',
        '        if rule.missing == "error":\n'
        "            filled[rule.name] = fill_missing(column, 0)\n"
        '        if rule.missing == "no such policy":\n',
        ("tests/transforms/test_preprocess.py", "tests/bad_input/test_values.py"),
    ),
    Promise(
        "rows that `where` leaves out are counted",
        "transforms/postprocess.py",
        "rows_in=raw.rows_in,\n        rows_filtered=len(raw) - rows.num_rows,",
        "rows_in=raw.rows_in - (len(raw) - rows.num_rows),\n        rows_filtered=0,",
        ("tests/transforms/test_postprocess.py", "tests/pipelines/test_score.py"),
    ),
    Promise(
        "a CSV row with too many or too few fields is rejected, and not dropped",
        "transforms/formats/csv_fields.py",
        "            broken |= self._find_wrong_widths(records, good)\n",
        "            good = _leave_out(good, self._find_wrong_widths(records, good))\n",
        ("tests/transforms/formats/test_csv.py", "tests/bad_input/test_csv.py"),
    ),
    Promise(
        "a quote that is not closed does not swallow the rows behind it",
        "transforms/formats/csv_record_reader.py",
        "            self._refuse_open_end(row, records, self._next_line)\n",
        "            if self._is_last:\n                return\n",
        ("tests/transforms/formats/test_csv.py", "tests/bad_input/test_csv.py"),
    ),
    Promise(
        "a malformed CSV row of several lines is rejected, and not dropped",
        "transforms/formats/csv_fields.py",
        "        reasons[position] = told[alike]\n",
        "        reasons.pop(position)\n",
        ("tests/transforms/formats/test_csv_quotes.py", "tests/bad_input/test_csv.py"),
    ),
    Promise(
        "a quote left open costs its line alone where each line is a row",
        "transforms/formats/csv_quotes.py",
        "    at_line_start = np.where(begins_line, before, 0)\n",
        "    at_line_start = np.zeros_like(before)\n",
        ("tests/transforms/formats/test_csv_quotes.py", "tests/pipelines/test_csv_split.py"),
    ),
    Promise(
        "a row has a label from its threshold on, in the type of the probabilities",
        "transforms/scores/label_sets.py",
        "probabilities >= thresholds.astype(probabilities.dtype)",
        "probabilities >= thresholds",
        ("tests/transforms/scores/test_label_sets.py",),
    ),
    Promise(
        "a scored row without a label ends an evaluation",
        "pipelines/evaluating/joining.py",
        "    if not missing:",
        "    if missing >= 0:",
        ("tests/pipelines/test_evaluate.py",),
    ),
    Promise(
        "a row group that is cut gives each of its rows once",
        "transforms/formats/parquet_pages.py",
        "        here = step.slice(dropped, left)\n",
        "        here = step.slice(dropped)\n",
        ("tests/transforms/formats/test_parquet_parts.py",),
    ),
)
