"""Put the quantised graphs of a tuning report beside it, where workers find them.

    report.json, report.json.9f86d081884c.onnx

Each is named by its digest: a run that began with an older report still finds its own.
"""

from dataclasses import replace

from model_zoo.engines.quantised_graph import read_content
from model_zoo.engines.settings import Settings
from model_zoo.engines.tuning_report import TuningReport
from storage import files

# Enough to tell the graphs of one report apart.
_NAMED_DIGITS = 12


def keep_graphs(report: TuningReport, url: str) -> TuningReport:
    """Write the graphs that a report's settings name, and return it with names of files beside it.

    Args:
        report: as tuning made it, whose graphs are in this process's memory.
        url: where the report will be, absolute.

    Raises:
        OSError: a file cannot be written.
    """
    choices = []
    for choice in report.next_best:
        kept = _keep_graph(choice.settings, url)
        choices.append(replace(choice, settings=kept))
    settings = _keep_graph(report.settings, url)
    return replace(report, settings=settings, next_best=tuple(choices))


def _keep_graph(settings: Settings, url: str) -> Settings:
    if settings.graph is None:
        return settings
    graph = settings.graph
    folder, _, report_name = url.rpartition("/")
    name = f"{report_name}.{graph.sha256[:_NAMED_DIGITS]}.onnx"
    content = read_content(graph)
    files.replace(files.join(folder, name), content)
    return replace(settings, graph=replace(graph, url=name))
