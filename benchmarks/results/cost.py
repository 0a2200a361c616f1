# SPDX-License-Identifier: Apache-2.0
"""Cost of a network, whatever its weights: parameters, operations, size of its graph, milliseconds per face."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import today
from benchmarks.results.records import Cost
from benchmarks.runtime_speed import measure_speeds, random_crops
from mien.core import DIMENSIONS, EXPRESSION_ORDERS
from mien.datasets import AU_RULES
from mien.inference import machine_name
from mien.training.export.onnx_export import export_onnx
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe


def create_untrained(recipe: Recipe) -> AffectNetwork:
    """The network of a recipe with random weights and one output per label.

    A head of action units has those of the teacher's pseudo-labels.
    """
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": tuple(AU_RULES),
    }
    model = dataclasses.replace(recipe.model, start="scratch")
    return AffectNetwork(dataclasses.replace(recipe, model=model), labels).eval()


def measure_cost(recipe: Recipe, graph: Path, threads: int) -> Cost:
    """Measure the network of a recipe at the recipe's size.

    Args:
        recipe: recipe with a backbone.
        graph: ONNX file of the network; written with random weights where it does not exist.
        threads: number of intra-op threads of the runtimes.

    Raises:
        ConfigError: the network does not take crops of this size.
    """
    model = recipe.model
    network = create_untrained(recipe)
    if not graph.is_file():
        _write_graph(graph, export_onnx(network, model.input_px))
    crops = random_crops(model.input_px, model.n_channels)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(crops[:1]))
    return Cost(
        size_px=model.input_px,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gflop=round(counter.get_total_flops() / 1e9, 4),
        onnx_mb=round(graph.stat().st_size / 1e6, 2),
        speeds=measure_speeds(graph, crops, threads),
        threads=threads,
        machine=f"{machine_name()}, {today()}",
    )


def _write_graph(path: Path, graph: bytes) -> None:
    """Write the graph atomically, so that an interruption leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(graph)
    draft.replace(path)
