"""Find the quantised graph that a tuning report names beside itself."""

from dataclasses import replace

from configs.errors import JobError
from model_zoo.engines.quantised_graph import read_content
from model_zoo.engines.settings import Settings
from storage import files


def locate_graph(settings: Settings, url: str) -> Settings:
    """Return settings whose graph has the URL that workers read it by.

    Args:
        settings: as a tuning report has them.
        url: of the report.

    Raises:
        JobError: the report names another place than its own folder.
        ModelError: the graph is gone, or another one.
    """
    if settings.graph is None:
        return settings
    name = settings.graph.url
    # The report is a stranger's, perhaps.
    is_plain = bool(name) and name.isprintable() and not name.startswith(".")
    if not is_plain or "/" in name or "\\" in name:
        raise JobError(
            f"{url}: names a graph {name!r}, which is no file beside it; run pipelines.tune again"
        )
    folder, _, _ = files.to_absolute(url).rpartition("/")
    graph = replace(settings.graph, url=files.join(folder, name))
    # Before anything starts; each worker looks again.
    read_content(graph)
    return replace(settings, graph=graph)
