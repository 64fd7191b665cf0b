"""A package is proven before it is written: scored as a job scores it, beside the author's own model."""

from collections.abc import Callable
from dataclasses import replace
import uuid

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.engine import choose_engine
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package, write_package
from model_zoo.remote.target import Target
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import load_scorer
from pipelines.packing.proof.differences import find_difference
from pipelines.packing.writing.content import Content
from pipelines.planning.batch_rows import default_batch_rows
from storage import files

_NOT_PROVEN = (
    "nothing was written; does the network compute a row by the rows beside it, or at random?"
)


def prove(
    content: Content,
    modules: tuple[str, ...],
    inputs: Arrays,
    wanted: Arrays,
    tolerance: float,
    finish: Callable[[Arrays], Arrays] = dict,
    engine: str | None = None,
    target: Target | None = None,
    most_rows: int | None = None,
) -> float:
    """Score the sample as a job will, and return how far that is from what the author's model gives.

    Args:
        content: of the package.
        modules: of the author, from which its network may come.
        inputs: of the sample, arrays (rows, ...) by name.
        wanted: what the author's model gives for them.
        tolerance: how far that may be apart, as `find_difference` tells it.
        finish: makes of scores what is compared with it.
        engine: that computes; by default that of a job that names none.
        target: the server that computes, where one does.
        most_rows: that it takes at once; None for any.

    Raises:
        ModelError: too far, or a row fails.
    """
    scored = _score(content, modules, inputs, engine, target, most_rows)
    for failure in scored.rejected.values():
        raise ModelError(f"scoring fails on a row of the sample: {failure}; {_NOT_PROVEN}")
    found = finish(scored.outputs)
    largest = 0.0
    for name, expected in wanted.items():
        difference = find_difference(found[name], expected)
        largest = max(largest, difference)
    if not largest <= tolerance:
        raise ModelError(
            f"scores of the sample differ by {largest:.3g} from those of your own model; "
            f"{_NOT_PROVEN}"
        )
    return largest


def _score(
    content: Content,
    modules: tuple[str, ...],
    inputs: Arrays,
    engine: str | None,
    target: Target | None,
    most_rows: int | None,
) -> Scored:
    # In this process's memory: what is not proven is left nowhere.
    url = f"memory://packaging/{uuid.uuid4().hex}"
    try:
        digest = write_package(url, content.card, content.steps, content.files)
        package = replace(read_package(url, digest, modules), target=target)
        chosen = engine or choose_engine(package.card)
        fitting = default_batch_rows(package.card)
        settings = Settings(min(fitting, most_rows or fitting), engine=chosen)
        scorer = load_scorer(package, "cpu", settings, threads=1)
        return scorer(inputs)
    except ModelError as error:
        # That place says nothing to anybody, and what is behind the first `;` is for who scores.
        text = str(error).removeprefix(f"{url}: ")
        reason, _, _ = text.partition(";")
        raise ModelError(f"{reason}; {_NOT_PROVEN}") from error
    finally:
        files.remove(url)
