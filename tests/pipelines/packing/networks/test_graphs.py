"""Networks of graphs, from lists of nodes and edges to scores; against torch_geometric itself, graph by graph."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.engines.settings import Settings
from model_zoo.engines.torch_engine import TorchEngine
from tests.support.jobs import run_job
from tests.support.packaging import Author, Packaged

geometric = pytest.importorskip("torch_geometric")
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool, models  # noqa: E402

Write = Callable[[str], Author]
POOLS = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
SIZES = {"in_channels": 3, "hidden_channels": 8, "num_layers": 2, "out_channels": 2}
OWN = """
    from torch_geometric.nn import GCNConv, global_max_pool


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.atom = nn.Embedding(9, 4)
            self.conv = GCNConv(4, 8)
            self.last = nn.Linear(8 + 1, 1)

        def forward(self, x, edge_index, edge_weight, charge, batch):
            nodes = self.conv(self.atom(x), edge_index, edge_weight).relu()
            graphs = global_max_pool(nodes, batch)
            return self.last(torch.cat([graphs, charge.unsqueeze(1)], 1))
"""


def molecules(rows: int = 60) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    made = []
    for row in range(rows):
        atoms, bonds = int(random.integers(1, 9)), int(random.integers(0, 12))
        made.append(
            {
                "id": row,
                "atoms": random.normal(size=(atoms, 3)).tolist(),
                "kinds": random.integers(0, 9, atoms).tolist(),
                "source": random.integers(0, atoms, bonds).tolist(),
                "target": random.integers(0, atoms, bonds).tolist(),
                "weight": random.random(bonds).tolist(),
                "charge": float(random.normal()),
            }
        )
    return made


def edges_of(row: dict[str, Any]) -> torch.Tensor:
    return torch.tensor([row["source"], row["target"]], dtype=torch.int64)


def package(author: Author, made: Any, rows: list[dict[str, Any]], **fields: Any) -> Packaged:
    table = pa.Table.from_pylist(rows)
    sample = author.sample(**dict(zip(table.column_names, table.columns, strict=True)))
    config = author.folder / "package.yaml"
    weights = author.save(made)
    config.write_text(
        yaml.safe_dump(
            {"weights": weights, "sample": sample, "key": "id", "activation": "none", **fields}
        )
    )
    return author.package(config=str(config))


def score(author: Author, **settings: Any) -> dict[int, Any]:
    settings = {name.replace("__", "."): value for name, value in settings.items()}
    scored = run_job(author.folder / "model.job.yaml", settings=settings).scored()
    return dict(zip(scored["id"].to_pylist(), scored["output"].to_pylist(), strict=True))


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", ["GCN", "GraphSAGE", "GIN", "GAT", "EdgeCNN"])
def test_a_librarys_network_scores_each_graph_as_by_itself(
    name: str, pool: str, author: Author
) -> None:
    network = getattr(models, name)(**SIZES).eval()
    rows = molecules()
    columns = ["atoms", "source", "target"]
    packaged = package(
        author, network, rows, network=f"torch_geometric:{name}", parameters=SIZES,
        columns=columns, graph={"nodes": "atoms", "edges": columns[1:], "pool": pool},
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    scores = score(author)
    assert len(scores) == len(rows)
    with torch.inference_mode():
        for row in rows:
            nodes = network(torch.tensor(row["atoms"]), edges_of(row))
            expected = POOLS[pool](nodes, torch.zeros(len(nodes), dtype=torch.int64))[0]
            assert scores[row["id"]] == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)


def test_a_network_of_ones_own_takes_weights_of_edges_and_what_is_known_of_a_graph(
    author_of: Write,
) -> None:
    author = author_of(OWN)
    network = author.module.Net().eval()
    rows = molecules()
    named = {"nodes": "kinds", "edges": ["source", "target"], "attributes": "weight"}
    packaged = package(
        author, network, rows, network=f"{author.module.__name__}:Net", graph=named,
        columns=["kinds", "source", "target", "weight", "charge"],
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert author.opened().card.graph is not None
    scores = score(author)
    with torch.inference_mode():
        for row in rows:
            arguments = [torch.tensor(row["kinds"]), edges_of(row), torch.tensor(row["weight"])]
            batch = torch.zeros(len(row["kinds"]), dtype=torch.int64)
            expected = network(*arguments, torch.tensor([row["charge"]]), batch)
            assert scores[row["id"]] == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)


def test_a_score_has_the_same_bits_whichever_rows_are_beside_it(author: Author) -> None:
    rows = molecules(200)
    columns = ["atoms", "source", "target"]
    packaged = package(
        author, models.GCN(**SIZES), rows, network="torch_geometric:GCN", parameters=SIZES,
        columns=columns, graph={"nodes": "atoms", "edges": columns[1:], "pool": "sum"},
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    expected = score(author, model__batch_rows=16)
    others = [rows[at] for at in np.random.default_rng(1).permutation(200)[:77]]
    shard = author.folder / "others.parquet"
    pq.write_table(pa.Table.from_pylist(others), shard)
    found = score(author, source__paths=str(shard), model__batch_rows=16)
    assert found == {row["id"]: expected[row["id"]] for row in others}


def test_an_edge_out_of_its_graph_costs_its_row(author: Author) -> None:
    rows = molecules()
    columns = ["atoms", "source", "target"]
    graph = {"nodes": "atoms", "edges": columns[1:]}
    packaged = package(
        author, models.GCN(**SIZES), rows, network="torch_geometric:GCN", parameters=SIZES,
        columns=columns, graph=graph,
    )  # fmt: skip
    # Without a pool: what it says of each node, with zeros behind.
    assert packaged.status == 0, packaged.error
    most = max(len(row["atoms"]) for row in rows)
    assert author.opened().card.outputs["output"].shape == (most, 2)
    at = next(row["id"] for row in rows if row["source"])
    rows[at]["target"][0] = len(rows[at]["atoms"])
    shard = author.folder / "others.parquet"
    pq.write_table(pa.Table.from_pylist(rows), shard)
    outcome = run_job(author.folder / "model.job.yaml", settings={"source.paths": str(shard)})
    (record,) = outcome.rejected()
    assert record["row"] == at
    assert "an edge to a node that the row has not" in record["message"]


def test_columns_of_a_graph_are_asked_for(author: Author) -> None:
    network = models.GCN(**SIZES)
    fields = {"network": "torch_geometric:GCN", "parameters": SIZES}
    package(author, network, molecules(), **fields).refused("graph.nodes", "graph.edges")
    wrong = {"nodes": "atom", "edges": ["source", "charge"]}
    package(author, network, molecules(), **fields, graph=wrong).refused(
        "no column 'atom'; did you mean atoms", "'charge' holds no lists"
    )


def test_a_graph_of_the_sample_that_is_none_is_refused_by_its_row(author: Author) -> None:
    rows = molecules()
    rows[3] |= {"source": [0], "target": [99]}
    fields = {"network": "torch_geometric:GCN", "parameters": SIZES}
    graph = {"nodes": "atoms", "edges": ["source", "target"]}
    package(author, models.GCN(**SIZES), rows, **fields, graph=graph).refused(
        "sample: preprocessing does not take 1 rows, the first at 3", "an edge to a node", status=3
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("PNA", {}),
        ("Node2Vec", {}),
        ("GCN", {"cached": True}),
        ("GCN", {"act_kwargs": {"a": 1}}),
        ("GCN", {"act": "planted"}),
        ("GCN", {"norm": "planted"}),
        ("GCN", {"aggr": ["mean"]}),
        ("GCN", {"in_channels": [3, 3]}),
        ("GCN", {"num_layers": 10**6}),
    ],
)
def test_a_card_says_sizes_and_plain_words_alone(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="torch_geometric"):
        build(f"torch_geometric:{name}", {**SIZES, **parameters})


def test_graphs_are_computed_where_sums_have_an_order(author: Author) -> None:
    columns = ["atoms", "source", "target"]
    packaged = package(
        author, models.GCN(**SIZES), molecules(9), network="torch_geometric:GCN", parameters=SIZES,
        columns=columns, graph={"nodes": "atoms", "edges": columns[1:], "pool": "sum"},
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    engine, settings = TorchEngine(), Settings(16)
    with pytest.raises(ModelError, match="on a CPU"):
        engine.load(author.opened(), torch.device("cuda"), 1, settings)
    with pytest.raises(ModelError, match="not compiled"):
        engine.load(author.opened(), torch.device("cpu"), 1, replace(settings, compiled=True))
    assert list(engine.list_refinements(author.opened().card, [settings], ())) == []


def test_layers_that_need_nodes_in_the_order_of_rows_have_them(author_of: Write) -> None:
    """`to_dense_batch` gives nonsense, in silence, for a batch vector that is not sorted."""
    author = author_of("""
        from torch_geometric.utils import to_dense_batch


        class Net(nn.Module):
            def forward(self, x, edge_index, batch):
                dense, mask = to_dense_batch(x, batch)
                return (dense * mask.unsqueeze(-1)).sum(1)
    """)
    rows = molecules()
    columns = ["atoms", "source", "target"]
    packaged = package(
        author, author.module.Net(), rows, network=f"{author.module.__name__}:Net",
        columns=columns, graph={"nodes": "atoms", "edges": columns[1:]},
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    scores = score(author)
    for row in rows:
        expected = np.array(row["atoms"]).sum(axis=0)
        assert scores[row["id"]] == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-5)
