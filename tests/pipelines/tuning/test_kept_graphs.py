"""Quantised graphs lie beside the report that names them, and only there are they looked for."""

from dataclasses import replace
import hashlib
from pathlib import Path

import pytest

from configs.errors import JobError, ModelError
from configs.tolerance import Tolerance
from model_zoo.engines.quantised_graph import keep_in_memory
from model_zoo.engines.settings import QuantisedGraph, Settings
from model_zoo.engines.tuning_report import Choice, TuningReport, parse_tuning_report
from model_zoo.evaluation.agreement import Agreement
from pipelines.planning.reported_graphs import locate_graph
from pipelines.tuning.kept_graphs import keep_graphs

FIRST, SECOND = b"the first graph", b"another one"
AGREEMENT = Agreement(rows=100, max_difference=0.0, label_agreement=1.0, cosine=None)


def settings_with(graph: QuantisedGraph | None) -> Settings:
    return Settings(64, "int8", engine="openvino", graph=graph)


@pytest.fixture
def report() -> TuningReport:
    fastest, next_best = map(keep_in_memory, (FIRST, SECOND))
    plain = Choice(Settings(64), "torch", AGREEMENT, 1.0, 1.0)
    return TuningReport(
        model={},
        job={},
        machine={"cores": "2"},
        settings=settings_with(fastest),
        workers=1,
        agreement=AGREEMENT,
        tolerance=Tolerance(),
        rows_per_second=2.0,
        speed_up=2.0,
        made_at="",
        next_best=(replace(plain, settings=settings_with(next_best)), plain),
    )


def test_graphs_lie_beside_the_report_by_their_digests(
    tmp_path: Path, report: TuningReport
) -> None:
    url = str(tmp_path / "digits.json")
    kept = keep_graphs(report, url)
    digests = [hashlib.sha256(content).hexdigest()[:12] for content in (FIRST, SECOND)]
    names = [f"digits.json.{digest}.onnx" for digest in digests]
    assert [(tmp_path / name).read_bytes() for name in names] == [FIRST, SECOND]
    # As it is read again, names and not the places of this machine.
    again = parse_tuning_report(kept.to_json(), url)
    graphs = [choice.settings.graph for choice in again.choices]
    assert [graph and graph.url for graph in graphs] == [*names, None]
    located = locate_graph(again.settings, url)
    assert located.graph is not None
    assert located.graph.url == str(tmp_path / names[0])
    assert located.as_dict() == report.settings.as_dict()


def test_settings_without_a_graph_stay_as_they_are() -> None:
    assert locate_graph(Settings(8), "/no/report.json") == Settings(8)


@pytest.mark.parametrize(
    "name", ["../m.onnx", "/etc/passwd", "s3://m/m.onnx", ".m.onnx", "a\\b", "a\nb", ""]
)
def test_a_report_leads_to_no_other_place(tmp_path: Path, name: str) -> None:
    graph = QuantisedGraph(url=name, sha256="0" * 64, bytes=1)
    with pytest.raises(JobError, match="which is no file beside it"):
        locate_graph(settings_with(graph), str(tmp_path / "report.json"))


def test_a_graph_that_is_gone_or_another_is_refused_at_the_launcher(tmp_path: Path) -> None:
    graph = replace(keep_in_memory(FIRST), url="m.onnx")
    url = str(tmp_path / "report.json")
    with pytest.raises(ModelError, match="is gone"):
        locate_graph(settings_with(graph), url)
    (tmp_path / "m.onnx").write_bytes(SECOND)
    with pytest.raises(ModelError, match="is not the graph that the tuning report names"):
        locate_graph(settings_with(graph), url)
