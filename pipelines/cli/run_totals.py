"""What a run came to, as its log tells it: of its manifest, in a sentence for people and in fields for machines."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pipelines.cli.left_out import left_out_rows
from storage.listing_rules import count_by_rule
from storage.run_folder import RunFolder

Manifest: TypeAlias = Mapping[str, Any]
# Of broken shards, by name: enough to see what is wrong with them.
TOLD_BROKEN = 20


def describe_totals(event: str, run: RunFolder, manifest: Manifest) -> str:
    """Return what became of a run's rows.

    Args:
        event: how the run ended, in a word that a machine looks for.
        run: the run.
        manifest: its manifest.
    """
    words = event.replace("_", " ")
    rows = manifest["rows"]
    return (
        f"{words}: run {run.run_id}, "
        f"{rows['in']:,} rows in = {rows['scored']:,} scored + "
        f"{rows['filtered']:,} filtered + {rows['rejected']:,} rejected{left_out_rows(rows)}"
    )


def list_totals(run: RunFolder, manifest: Manifest, seconds: float) -> dict[str, Any]:
    """Return the totals of a run that stands, by the names that they have in a JSON line.

    Args:
        run: the run.
        manifest: its manifest.
        seconds: how long it took.
    """
    totals: dict[str, Any] = {
        "exit_status": 0,
        "seconds": round(seconds, 3),
        "files": len(manifest["files"]),
        "output": run.published,
        # Counted here, as manifests of older versions list the paths alone.
        "inputs_left_out": count_by_rule(manifest.get("ignored_inputs", ())),
    }
    # Of a job with a filter of its input alone.
    if "pruned_files" in manifest:
        totals["files_pruned"] = manifest["pruned_files"]
    broken = list_broken(manifest)
    if broken is not None:
        totals["broken_shards"] = len(broken)
        totals["broken_shard_urls"] = broken[:TOLD_BROKEN]
    return totals


def list_broken(manifest: Manifest) -> list[str] | None:
    """Return the URLs of the shards that broke, each once and in order; None of a job that allows none."""
    if "broken_shards" not in manifest:
        return None
    urls = {shard["url"] for shard in manifest["broken_shards"]}
    return sorted(urls)
