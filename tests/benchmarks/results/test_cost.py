# SPDX-License-Identifier: Apache-2.0
"""Parameters and operations of a network agree with a count by hand."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

import torch

from benchmarks.results.cost import checked_cost, cost_digest, create_untrained, measure_cost
from benchmarks.results.plan import Budget, list_rows, under_budget
from benchmarks.results.records import Records, load_records, save_records
from benchmarks.results.results_page import results_page
from mien.training import load_recipe
from tests.helpers.repository import ROOT
from tests.helpers.results_rows import N_ROWS

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def test_cost_by_hand(tmp_path: Path) -> None:
    row = list_rows()["expr-cnn-2020"]
    recipe = under_budget(row, Budget(size_px=32), N_ROWS)
    graph = tmp_path / "graphs" / "cnn.onnx"
    cost = measure_cost(recipe, graph, threads=1)
    # Four stages of a 3x1 and a 1x3 convolution, then dense layers; 8 + 2 + 15 outputs.
    widths = [(1, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4)]
    macs = sum((n_in * n_out + n_out * n_out) * 3 * side * side for n_in, n_out, side in widths)
    macs += 512 * 2 * 2 * 512 + 512 * 256 + 256 * 25
    assert cost.gflop == pytest.approx(2 * macs / 1e9, abs=1e-4)
    assert cost.parameters == sum(p.numel() for p in create_untrained(recipe).parameters())
    assert cost.onnx_mb == pytest.approx(4 * cost.parameters / 1e6, rel=0.05)
    assert {(speed.runtime, speed.batch) for speed in cost.speeds} >= {("onnxruntime", 1), ("onnxruntime", 16)}
    assert all(speed.ms > 0 for speed in cost.speeds)
    save_records(tmp_path / "results.json", Records().with_row(row.name, as_trained=cost))
    records = load_records(tmp_path / "results.json")
    assert records[row.name].as_trained == cost
    page = "\n".join(results_page(list_rows(), records))
    # It is the cost at another size than that of the table.
    assert f"| `expr-cnn-2020` *stale* | 32 | {cost.parameters:,} |" in page
    small = dataclasses.replace(records, budget=Budget(size_px=32))
    assert f"| `expr-cnn-2020` | 32 | {cost.parameters:,} |" in "\n".join(results_page(list_rows(), small))
    written = graph.stat().st_mtime_ns
    measure_cost(recipe, graph, threads=1)
    assert graph.stat().st_mtime_ns == written  # exported once
    older = dataclasses.replace(cost, digest="")
    assert checked_cost(recipe, graph, older) == cost  # the same network: its timings stay
    dropped = checked_cost(recipe, graph, dataclasses.replace(older, parameters=7))
    assert dropped == dataclasses.replace(cost, speeds=(), threads=0, machine="")
    assert checked_cost(recipe, graph, None) == dropped  # a new row is counted without timings


def test_a_digest_is_of_the_network_alone() -> None:
    recipe = list_rows()["mtanet"].recipe
    same = dataclasses.replace(recipe, seed=9, model=dataclasses.replace(recipe.model, start="imagenet"))
    larger = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, input_px=224))
    assert cost_digest(same) == cost_digest(recipe) != cost_digest(larger)


def test_no_cost_on_the_page_is_stale() -> None:
    """A recipe whose network changes needs `python -m benchmarks results --only check` (or `speed`)."""
    records = load_records(ROOT / "docs/research/results.json")
    stale = []
    for name, row in list_rows().items():
        small = under_budget(row, records.budget, records.budget.images)
        for cost, recipe in ((records[name].as_published, row.recipe), (records[name].as_trained, small)):
            if cost is not None and cost.digest != cost_digest(recipe):
                stale.append(f"{name} at {cost.size_px} px")
    assert stale == []
    assert sum(record.as_published is not None for record in records.rows.values()) > 9


def test_networks_of_points_are_counted_without_auxiliary_heads() -> None:
    network = create_untrained(load_recipe("joint-windows"))
    assert network.tasks == ("joints",)
    convolutions = (25 * 16 + 16) + (16 * 25 * 32 + 32) + (32 * 9 * 48 + 48)
    dense = (48 * 14 * 14 * 256 + 256) + (256 * 256 + 256) + (256 * 30 + 30)
    assert sum(parameter.numel() for parameter in network.parameters()) == convolutions + dense
    assert create_untrained(load_recipe("points-windows")).tasks == ("landmarks", "pose", "eyes", "face")
    assert create_untrained(load_recipe("joint-windows-pretrained")).tasks == ("joints",)


def test_a_network_with_intensities_is_counted_with_all_units() -> None:
    network = create_untrained(load_recipe("mien-units"))
    size = load_recipe("mien-units").model.input_px
    with torch.inference_mode():
        outputs = network(torch.zeros(1, size, size, 1, dtype=torch.uint8))
    widths = {task: values.shape[1] for task, values in zip(network.tasks, outputs, strict=False)}
    assert widths["action_units"] == widths["action_unit_intensity"] == 18
