"""The promises that `tests.mutants.promises` breaks: which line keeps each, and what breaks it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A promise of the program, and how to break it.

    Attributes:
        words: what is promised.
        file: the file that keeps it; `old` stands there exactly once, and `new` in its place breaks
            the promise.
        tests: where tests are that should find it, for pytest.
    """

    words: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PROMISES = (
    Promise(
        "a row that the writer loses is missed",
        "transforms/output/part_writer.py",
        "pa.Table.from_batches(self._pending, schema=schema)",
        "pa.Table.from_batches(self._pending, schema=schema).slice(1)",
        ("tests/transforms/test_write.py",),
    ),
    Promise(
        "books that do not balance are not published",
        "transforms/output/books.py",
        "if part.rows_in != accounted:",
        "if part.rows_in < 0:",
        ("tests/transforms/test_publish.py",),
    ),
    Promise(
        "a unit that was not written whole is not published",
        "transforms/output/books.py",
        "if cover is None or not _has_rows(cover, unit.rows):",
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
        "if rejected > allowed:",
        "if rejected > allowed + 1:",
        ("tests/transforms/output/test_books.py", "tests/bad_rows/test_bad_models.py"),
    ),
    Promise(
        "CURRENT moves only once the manifest stands",
        "transforms/publish.py",
        "        _create_manifest(run, content)\n",
        "        make_current(run, planned_at)\n        _create_manifest(run, content)\n",
        ("tests/transforms/test_publish.py", "tests/faults"),
    ),
    Promise(
        "a manifest is created where there is none, and never overwritten",
        "transforms/publish.py",
        "files.create(run.manifest, text, scratch=run.temporary)",
        "files.replace(run.manifest, text, run.temporary) is None",
        ("tests/transforms/test_publish.py", "tests/faults/test_concurrency.py"),
    ),
    Promise(
        "an attempt that wakes up late leaves readers with the newer run",
        "storage/current.py",
        "if before is not None and before.decided_at > planned_at:",
        "if before is None and decided_at > planned_at:",
        ("tests/storage/test_current.py", "tests/faults/test_zombies.py"),
    ),
    Promise(
        "a small file is on the disk before it gets its name",
        "storage/disk.py",
        "            if synced:\n                os.fsync(file.fileno())\n",
        "",
        ("tests/storage", "tests/faults/test_durability.py"),
    ),
    Promise(
        "a file of scores is on the disk before anybody names it",
        "storage/files.py",
        "            if is_on_disk:\n                os.fsync(file.fileno())\n",
        "",
        ("tests/storage", "tests/faults/test_durability.py"),
    ),
    Promise(
        "the names in a folder are on the disk before anybody is told",
        "storage/disk.py",
        "        os.fsync(number)\n",
        "        os.fstat(number)\n",
        ("tests/storage", "tests/faults/test_durability.py"),
    ),
    Promise(
        "the names of attempts are on the disk before their unit is recorded as done",
        "transforms/output/done_record.py",
        "    files.sync_folder(run.attempts)",
        "    files.exists(run.attempts)",
        ("tests/transforms/test_write.py", "tests/faults/test_durability.py"),
    ),
    Promise(
        "a symbolic link in the output is not followed out of it",
        "storage/layout.py",
        "    if not files.is_local(url):\n        return\n    if leads_out(",
        "    if files.is_local(url):\n        return\n    if leads_out(",
        ("tests/storage/test_layout.py", "tests/transforms/test_publish.py", "tests/security"),
    ),
    Promise(
        "what a run leaves is not for everybody to read",
        "storage/disk.py",
        "_FILE_MODE = 0o640",
        "_FILE_MODE = 0o644",
        ("tests/storage", "tests/security/test_modes.py"),
    ),
    Promise(
        "units that are done are not scored again",
        "transforms/read.py",
        "if is_done(self.run, unit.index):",
        "if not unit.shard:",
        ("tests/transforms/test_read.py", "tests/faults"),
    ),
    Promise(
        "an input that changes under a run is noticed",
        "transforms/formats/format.py",
        "    if version != unit.version:",
        "    if version is None:",
        ("tests/transforms/test_read.py", "tests/bad_input/test_transient_errors.py"),
    ),
    Promise(
        "a changed input is another run",
        "pipelines/planning/identity.py",
        "inputs = [[shard.file.url, shard.file.version] for shard in shards]",
        "inputs = [[shard.file.url] for shard in shards]",
        (
            "tests/pipelines/test_score.py",
            "tests/pipelines/planning/test_shards.py",
            "tests/bad_rows",
        ),
    ),
    Promise(
        "another model is another run",
        "pipelines/planning/make_plan.py",
        "make_run_id(settings, package.digest, ",
        "make_run_id(settings, package.card.name, ",
        ("tests/pipelines/planning/test_identity.py", "tests/bad_rows/test_reuse_from.py"),
    ),
    Promise(
        "the order in which inputs are named changes nothing",
        "pipelines/planning/shards.py",
        "taken = sorted(found.values())",
        "taken = list(found.values())",
        ("tests/pipelines/planning/test_shards.py", "tests/pipelines/test_score.py"),
    ),
    Promise(
        "a file under two names is scored once or refused",
        "pipelines/planning/shards.py",
        "if first != file.url:",
        "if not first:",
        ("tests/bad_input/test_listing.py",),
    ),
    Promise(
        "other content of the same size and time is another run",
        "storage/inputs.py",
        ",ctime_ns={stat.st_ctime_ns}",
        "",
        ("tests/storage/test_inputs.py", "tests/bad_input/test_listing.py"),
    ),
    Promise(
        "an output in the input is refused before anything is written",
        "pipelines/planning/overlap.py",
        "if any(pattern.may_lead_into(folder) for folder in outputs):",
        "if not outputs:",
        ("tests/pipelines/planning/test_overlap.py", "tests/bad_input/test_listing.py"),
    ),
    Promise(
        "a folder with files among the input is read or refused, never passed over",
        "storage/listing.py",
        "if folder.unasked and not is_complete:",
        "if folder.unasked and is_complete:",
        ("tests/storage/test_listing.py", "tests/storage/test_patterns.py"),
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
        "transforms/batches.py",
        "            self.row_numbers[positions],\n            reasons,\n",
        "            positions,\n            reasons,\n",
        ("tests/transforms/test_batches.py", "tests/pipelines/test_score.py"),
    ),
    Promise(
        "the message of a rejected row tells none of its values",
        "configs/redaction.py",
        "        line = _blot_out(_cut(line), list(values), kept)",
        "        line = _cut(line)",
        ("tests/configs/test_redaction.py", "tests/security/test_row_values.py"),
    ),
    Promise(
        "no line of a log tells a secret",
        "pipelines/cli/log_format.py",
        r'    text = _USER_INFO.sub(rf"\1{_BLOT}@", text)',
        "",
        ("tests/pipelines/cli/test_run_log.py", "tests/security/test_secrets.py"),
    ),
    Promise(
        "a job with credentials in a URL is refused",
        "configs/job.py",
        "    return _SECRET.search(url) is not None",
        "    return not url",
        ("tests/configs", "tests/security/test_secrets.py"),
    ),
    Promise(
        "weights that could run code are refused unread",
        "model_zoo/package/state_dicts.py",
        "    _refuse_code(_find_pickle(content))\n    try:\n"
        '        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)',
        "    try:\n"
        '        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)',
        ("tests/model_zoo/package/test_weights.py", "tests/security/test_model_files.py"),
    ),
    Promise(
        "weights with another digest than the card lists are refused",
        "model_zoo/package/files.py",
        "if size != entry.bytes or sha256 != entry.sha256:",
        "if size != entry.bytes:",
        ("tests/model_zoo/package/test_package.py", "tests/security/test_packages.py"),
    ),
    Promise(
        "a model that does not score its smoke batch as when it was packed is refused",
        "model_zoo/scoring/smoke.py",
        "        if not difference <= tolerance:",
        "        if difference < 0:",
        ("tests/model_zoo/scoring/test_scorer.py",),
    ),
    Promise(
        "no CPU takes the place of a GPU in silence",
        "model_zoo/scoring/devices.py",
        'if device == "cpu" or (device == "auto" and not has_cuda):',
        'if device == "cpu" or not has_cuda:',
        ("tests/model_zoo/scoring/test_scorer.py", "tests/pipelines/test_score_refusals.py"),
    ),
    Promise(
        "a missing value is an error where the contract says so, and never filled",
        "transforms/preprocess.py",
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
        "transforms/formats/csv_blocks.py",
        '            self._refuse_open_end(f"row {self._next_row}", records, self._next_line)\n',
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
        "a run over its budget ends with status 4",
        "configs/errors.py",
        "    status = 4\n",
        "    status = 0\n",
        ("tests/configs/test_errors.py", "tests/bad_rows/test_bad_models.py"),
    ),
    Promise(
        "an interrupted run ends with status 130",
        "pipelines/cli/command_line.py",
        'return _say_stopped("interrupted", _INTERRUPTED)',
        'return _say_stopped("interrupted", 1)',
        ("tests/pipelines/cli/test_run_log.py", "tests/faults/test_interrupts.py"),
    ),
    Promise(
        "a flag that nobody knows is an error",
        "pipelines/cli/command_line.py",
        "        if not unknown:\n            return\n",
        "        if not unknown or more_flags:\n            return\n",
        ("tests/pipelines/test_score_refusals.py", "tests/pipelines/runners/test_profiles.py"),
    ),
    Promise(
        "a key that nobody knows is an error",
        "configs/job.py",
        'model_config = ConfigDict(frozen=True, extra="forbid")',
        'model_config = ConfigDict(frozen=True, extra="ignore")',
        ("tests/configs",),
    ),
    Promise(
        "a job cannot call what Python brings along",
        "configs/user_code.py",
        "    if top in sys.stdlib_module_names:",
        "    if top in sys.builtin_module_names:",
        ("tests/configs", "tests/security/test_jobs.py"),
    ),
    Promise(
        "the files of a run that is at work stay",
        "storage/lock.py",
        "fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        ("tests/pipelines/scoring/test_stale_runs.py", "tests/pipelines/test_prune.py"),
    ),
    Promise(
        "the files of dead runs go once a newer one is published",
        "pipelines/scoring/stale_runs.py",
        "            if its_job != job:",
        "            if its_job == its_job:",
        ("tests/pipelines/scoring/test_stale_runs.py",),
    ),
    Promise(
        "pipelines.verify finds a published file that was altered",
        "pipelines/verify.py",
        'if files.compute_sha256(url) != entry["sha256"]:',
        'if not entry["sha256"]:',
        ("tests/pipelines/test_score_refusals.py",),
    ),
)
