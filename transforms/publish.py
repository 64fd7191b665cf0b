"""WrittenPart -> Published: balance the books, and make the whole run visible at once.

Every step can be repeated: files get names that carry their content's digest, the manifest is
created if absent, and `CURRENT` is replaced by compare-and-set. So a retried bundle, a second
launcher, or a worker that wakes up late cannot change a published run, nor lead readers back.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
import errno
from typing import Any

import apache_beam as beam

from configs.errors import OtherContentError, PublishError
from model_zoo.evaluation.findings import Rules, Verdict
from storage import files
from storage.json_pieces import parse_json
from storage.layout import is_held, is_published, refuse_links
from storage.listing_rules import count_by_rule
from storage.run_folder import RunFolder
from transforms.announce import Published, announce
from transforms.batches import WrittenPart
from transforms.broken_budget import BrokenRules, check_broken
from transforms.broken_shard import BrokenShard
from transforms.hold import end_as_held
from transforms.output.books import balance, check_budget, choose_parts, list_row_counts
from transforms.output.broken_shards import count_lost_rows, list_broken, publish_broken
from transforms.output.manifest import describe_run, encode_manifest, list_unit_books
from transforms.output.plan_file import read_plan
from transforms.output.published_checks import find_unmet_checks
from transforms.output.published_files import move_files, publish_file_list, remove_strays
from transforms.output.published_monitor import publish_monitor, read_verdict
from transforms.output.published_summaries import publish_summaries
from transforms.publish_errors import storage_errors
from transforms.summaries.summary import Summaries

# Of a job that says nothing of them: the first one has ended the run.
NONE_BROKEN = BrokenRules()


@dataclass
class PublishRun(beam.PTransform):
    """Publish the run once every unit is written, or nothing at all.

    Attributes:
        manifest: what the launcher knows about the run (job, model, when it was planned); the
            plan's inputs, files and totals are added.
        max_rejected_rows, max_rejected_percent: the error budget; with more rejected rows than both
            allow, nothing is published.
        summaries: what is computed beside the scores.
        broken: what the job says of shards that cannot be read.
        rules: from which change on the run is held back; None where it is compared with nothing.
    """

    run: RunFolder
    manifest: dict[str, Any]
    max_rejected_rows: int
    max_rejected_percent: float
    summaries: Summaries = ()
    broken: BrokenRules = NONE_BROKEN
    rules: Rules | None = None

    def expand(self, parts: beam.PCollection[WrittenPart]) -> beam.PCollection[Published]:
        publish = beam.Map(
            publish_parts,
            self.run,
            self.manifest,
            self.max_rejected_rows,
            self.max_rejected_percent,
            self.summaries,
            self.broken,
            self.rules,
        )
        return (
            parts
            # One list: a run is published by one worker, with all parts in sight.
            | "Together" >> beam.combiners.ToList()
            | "Publish" >> publish.with_output_types(Published)
        )


def publish_parts(
    parts: list[WrittenPart],
    run: RunFolder,
    manifest: dict[str, Any],
    max_rejected_rows: int,
    max_rejected_percent: float,
    # Not `Summaries`: Beam looks at types, and can do so with no protocol.
    summaries: Sequence[Any] = (),
    broken: BrokenRules = NONE_BROKEN,
    rules: Rules | None = None,
) -> Published:
    """Call `publish_run`, with the parts first, as Beam hands them over.

    Args:
        parts, run, manifest, max_rejected_rows, max_rejected_percent, summaries, broken, rules: as
            for `publish_run`.
    """
    budget = (max_rejected_rows, max_rejected_percent)
    return publish_run(run, parts, manifest, *budget, summaries, broken, rules)


def publish_run(
    run: RunFolder,
    parts: Iterable[WrittenPart],
    manifest: Mapping[str, Any],
    max_rejected_rows: int,
    max_rejected_percent: float,
    summaries: Summaries = (),
    broken: BrokenRules = NONE_BROKEN,
    rules: Rules | None = None,
) -> Published:
    """Publish what the done-records and `parts` say was written.

    Args:
        run: the run.
        parts: what the workers have handed over, in any order, some of it twice.
        manifest, max_rejected_rows, max_rejected_percent, summaries, broken, rules: see `PublishRun`.

    Raises:
        PublishError: a unit is missing, or the books do not balance.
        OtherContentError: this run was published first, with other content.
        BudgetError: more rejected rows, or broken shards, than allowed.
        HeldError: the run stands whole, and is not published.
        SupersededError: it is published, and readers stay with a run that was planned later.
    """
    refuse_links(run, PublishError)
    planned_at = datetime.fromisoformat(manifest["planned_at"])
    with storage_errors(run):
        # First: once a run is published, its plan and its attempts are removed.
        if is_published(run):
            return announce(run, planned_at)
        # Of a run without summaries no request is spent on it: it never is.
        if summaries and is_held(run):
            end_as_held(run)
        # A function of its own, whose plan and books are let go of before the manifest is read.
        budget = (max_rejected_rows, max_rejected_percent)
        verdict = _publish_files(run, parts, manifest, *budget, summaries, broken, rules)
        if verdict == "held":
            end_as_held(run)
        return announce(run, planned_at)


def _publish_files(
    run: RunFolder,
    parts: Iterable[WrittenPart],
    manifest: Mapping[str, Any],
    max_rejected_rows: int,
    max_rejected_percent: float,
    summaries: Summaries,
    broken_rules: BrokenRules,
    rules: Rules | None,
) -> Verdict:
    """Give all files their names, and list them in the manifest; see `publish_run`.

    Returns:
        What the run's monitor says; of a run that is held, the list stands where no reader looks.
    """
    plan = read_plan(run.plan)
    chosen = choose_parts(run, plan.units, parts)
    # Before any file gets its final name: nothing is published of a run that is refused.
    counts = list_row_counts(manifest)
    totals = balance(chosen, counts)
    broken = list_broken(plan.broken, chosen)
    shards = len(plan.inputs) + len(plan.broken)
    check_broken(broken, shards, broken_rules)
    # Rows that are lost with their shards have a budget of their own.
    of_rows = totals["rejected"] - count_lost_rows(broken)
    counted = {**totals, "rejected": of_rows}
    where = _say_where_to_look(run, chosen)
    check_budget(counted, max_rejected_rows, max_rejected_percent, where)

    entries = move_files(run, chosen)
    entries.update(publish_broken(run, broken, broken_rules.records))
    summarised = publish_summaries(run, summaries, entries.get("summary_parts", []), len(chosen))
    unmet = find_unmet_checks(run, summaries, summarised, manifest["planned_at"])
    monitored = publish_monitor(run, rules, totals, summarised.get("summaries", []), unmet)
    verdict = read_verdict(monitored)
    content = {
        **manifest,
        "inputs": plan.inputs,
        "ignored_inputs": plan.ignored_inputs,
        "ignored_counts": count_by_rule(plan.ignored_inputs),
        **_describe_broken(broken, broken_rules),
        # Each is made as it is written.
        "units": list_unit_books(plan, chosen, counts),
        **describe_run(run, chosen, totals, entries),
        **publish_file_list(run, plan.units),
        **summarised,
        **monitored,
    }
    # Last: what it lists is there, and durable.
    create = _create_held if verdict == "held" else _create_manifest
    create(run, encode_manifest(content), content["content_sha256"])
    return verdict


def _describe_broken(
    broken: Sequence[BrokenShard],
    rules: BrokenRules,
) -> dict[str, Any]:
    """Return what the manifest says of broken shards: nothing, as ever, in a job that allows none."""
    if not rules.goes_on:
        return {}
    return {"broken_shards": [shard.describe() for shard in broken]}


def _create_manifest(run: RunFolder, text: bytes, content_sha256: str) -> None:
    """Name all that is published; another launcher may have named the very same.

    Raises:
        OtherContentError: another launcher has named other content.
    """
    created = False
    # Its folder is gone where another launcher of this run was faster, and cleaned up.
    with suppress(FileNotFoundError):
        created = files.create(run.manifest, text, scratch=run.temporary)
    if not created:
        _refuse_other_content(run, content_sha256)


def _create_held(run: RunFolder, text: bytes, content_sha256: str) -> None:
    """Name all that would be published, where readers do not look.

    Raises:
        OtherContentError: another launcher holds other content back.
    """
    if not files.create(run.held, text, scratch=run.temporary):
        standing = _parse_standing(run.held, files.read(run.held) or b"{}")
        # The same files; nobody has looked at them yet.
        if standing.get("content_sha256", content_sha256) != content_sha256:
            raise OtherContentError(
                f"{run.published}: another launcher of this run is held back first, with other "
                "content; compare the machines and library versions of both (manifest: computed_by)"
            )
    files.sync_folder(run.published)


def _parse_standing(url: str, content: bytes) -> dict[str, Any]:
    """Return the manifest that stands already."""
    try:
        standing = parse_json(content)
        return dict(standing)
    except (TypeError, ValueError) as error:
        raise PublishError(f"{url}: is no manifest; move it away, and run again") from error


def _refuse_other_content(run: RunFolder, content_sha256: str) -> None:
    text = files.read(run.manifest) or b"{}"
    standing = _parse_standing(run.manifest, text)
    # Nothing stands there: the name was not taken, but its folder was gone.
    if not standing:
        raise FileNotFoundError(errno.ENOENT, "somebody removed the folder", run.temporary)
    # The same files; only times and workers may differ.
    if standing.get("content_sha256") == content_sha256:
        return
    # This launcher's files have names that no manifest lists.
    if "files" in standing:
        remove_strays(run, standing)
    raise OtherContentError(
        f"{run.published}: another launcher published this run first, with other content; "
        "the published run stands; compare the machines and library versions of both "
        "(manifest: computed_by)"
    )


def _say_where_to_look(run: RunFolder, parts: Sequence[WrittenPart]) -> str:
    """Say where the rejected rows can be looked at before publication."""
    if not any(part.rejected for part in parts):
        return ""
    return (
        f"the rows, stages and reasons are in {run.attempts}/*-rejected.parquet; "
        "mend the input or raise the budget"
    )
