"""Promises about what a run is made of: its input, its model and its machine, and no other."""

from tests.mutants.promise import Promise

INPUTS = (
    Promise(
        "an input that changes under a run is noticed",
        "transforms/formats/unchanged.py",
        "    if version != without_reading(unit.version):",
        "    if version is None:",
        ("tests/transforms/test_read.py", "tests/bad_input/test_transient_errors.py"),
    ),
    Promise(
        "a changed input is another run",
        "pipelines/planning/identity.py",
        '"inputs": ([shard.file.url, shard.file.version] for shard in shards),',
        '"inputs": ([shard.file.url] for shard in shards),',
        (
            "tests/pipelines/test_score.py",
            "tests/pipelines/planning/test_shards.py",
            "tests/bad_rows",
        ),
    ),
    Promise(
        "another model is another run",
        "pipelines/planning/make_plan.py",
        "        package.digest,\n        computing",
        "        package.card.name,\n        computing",
        ("tests/pipelines/planning/test_identity.py", "tests/bad_rows/test_reuse_from.py"),
    ),
    Promise(
        "another version of a server's model is not scored with",
        "model_zoo/remote/card_match.py",
        "if target.version is not None and described.model_version != target.version:",
        "if target.version is not None and not described:",
        ("tests/model_zoo/remote/test_card_match.py", "tests/pipelines/test_score_remote.py"),
    ),
    Promise(
        "another server is another run",
        "pipelines/planning/identity.py",
        'work["served"] = served',
        'work["served"] = sorted(served)',
        ("tests/pipelines/test_score_remote.py",),
    ),
    Promise(
        "the order in which inputs are named changes nothing",
        "pipelines/planning/shards.py",
        "return sorted(found.values())",
        "return list(found.values())",
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
        "no CPU takes the place of a GPU in silence",
        "model_zoo/scoring/devices.py",
        'if device == "cpu" or (device == "auto" and not has_cuda):',
        'if device == "cpu" or not has_cuda:',
        ("tests/model_zoo/scoring/test_scorer.py", "tests/pipelines/test_score_refusals.py"),
    ),
    Promise(
        "a file that a row names is not read outside its root, whatever links there are",
        "storage/rooted.py",
        "        if not PurePosixPath(real).is_relative_to(self._real):",
        "        if not real:",
        ("tests/storage/test_rooted.py",),
    ),
    Promise(
        "a path of a row does not lead out of its root",
        "storage/rooted.py",
        '        if ".." in parts:',
        '        if ".." in name.split():',
        ("tests/storage/test_rooted.py",),
    ),
    Promise(
        "a file that changes after the run was planned is not scored as the one that was planned",
        "storage/rooted.py",
        "        if describe_stat(found) != file.version:",
        "        if not file.version:",
        ("tests/storage/test_rooted.py",),
    ),
)
