# SPDX-License-Identifier: Apache-2.0
"""Cost of a network, whatever its weights: parameters, operations, size of its graph, milliseconds per face."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import today
from benchmarks.results.records import Cost
from benchmarks.results.train_row import changed_settings
from benchmarks.runtime_speed import measure_speeds, random_crops
from mien.core import (
    ACTION_UNIT_SIDES,
    ACTION_UNITS,
    BODY_JOINTS,
    DIMENSIONS,
    EXPRESSION_ORDERS,
    LANDMARK_COLUMNS,
    point_columns,
)
from mien.datasets import AU_RULES
from mien.inference import machine_name
from mien.training.export.onnx_export import export_onnx
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import ModelSettings


def create_untrained(recipe: Recipe) -> AffectNetwork:
    """The network of a recipe with random weights and one output per label, without auxiliary heads.

    A head of action units has those of the teacher's pseudo-labels, and all of mien's where intensities are beside it,
    since rendered faces label more.
    """
    units = ACTION_UNITS.labels if "action_unit_intensity" in recipe.heads else tuple(AU_RULES)
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": units,
        "action_unit_intensity": units,
        "action_unit_sides": ACTION_UNIT_SIDES,
        "landmarks": LANDMARK_COLUMNS,
        "pose": ("pitch", "yaw", "roll"),
        "eyes": ("image_left", "image_right"),
        "face": ("face",),
        "joints": point_columns(BODY_JOINTS),
    }
    kept = {
        part: {task: settings for task, settings in getattr(recipe, part).items() if task in recipe.bundle_tasks}
        for part in ("heads", "losses")
    }
    stage = dataclasses.replace(recipe.stages[0], tasks=())
    model = dataclasses.replace(recipe.model, start="scratch")
    return AffectNetwork(dataclasses.replace(recipe, model=model, stages=(stage,), **kept), labels).eval()


def cost_digest(recipe: Recipe) -> str:
    """Hash of the settings that decide the cost of a network: input, backbone, heads and class order.

    Start weights, losses and schedules do not. Settings with their default value are left out, as in `digest`.
    """
    model = dataclasses.replace(
        recipe.model,
        start="scratch",
        start_names={},
        start_heads=(),
        template=ModelSettings().template,
        mean=ModelSettings().mean,
        std=ModelSettings().std,
        given=ModelSettings().given,
        drop_rate=0.0,
    )
    settings = [changed_settings(model), {task: changed_settings(head) for task, head in sorted(recipe.heads.items())}]
    return hashlib.sha256(f"{settings} {recipe.data.expressions}".encode()).hexdigest()


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
    crops = random_crops(model.input_px, model.n_channels)
    return dataclasses.replace(
        _untimed_cost(recipe, graph),
        speeds=measure_speeds(graph, crops, threads),
        threads=threads,
        machine=f"{machine_name()}, {today()}",
    )


def checked_cost(recipe: Recipe, graph: Path, known: Cost | None) -> Cost:
    """An earlier cost for today's recipe: its timings stay where the network is the same, and are dropped otherwise.

    Args:
        recipe: recipe with a backbone.
        graph: ONNX file of the network, as for `measure_cost`; only used where the network is another one.
        known: earlier cost; None for the cost of a new row without timings.
    """
    if known is None:
        return _untimed_cost(recipe, graph)
    parameters, gflop = _operations(create_untrained(recipe), recipe)
    if (recipe.model.input_px, parameters, gflop) == (known.size_px, known.parameters, known.gflop):
        return dataclasses.replace(known, digest=cost_digest(recipe))
    now = _untimed_cost(recipe, graph)
    # Versions of torch count the operations of attention differently; the size of the graph tells a change apart.
    if (now.size_px, now.parameters) == (known.size_px, known.parameters) and _similar(now.onnx_mb, known.onnx_mb):
        return dataclasses.replace(now, speeds=known.speeds, threads=known.threads, machine=known.machine)
    return now


def _similar(one: float, other: float) -> bool:
    return abs(one - other) <= 0.01 * other


def _untimed_cost(recipe: Recipe, graph: Path) -> Cost:
    network = create_untrained(recipe)
    if not graph.is_file():
        _write_graph(graph, export_onnx(network, recipe.model.input_px))
    parameters, gflop = _operations(network, recipe)
    return Cost(
        size_px=recipe.model.input_px,
        parameters=parameters,
        gflop=gflop,
        onnx_mb=round(graph.stat().st_size / 1e6, 2),
        digest=cost_digest(recipe),
    )


def _operations(network: AffectNetwork, recipe: Recipe) -> tuple[int, float]:
    """Number of parameters, and 10^9 operations per face."""
    crops = random_crops(recipe.model.input_px, recipe.model.n_channels)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(crops[:1]))
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return n_parameters, round(counter.get_total_flops() / 1e9, 4)


def _write_graph(path: Path, graph: bytes) -> None:
    """Write the graph atomically, so that an interruption leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(graph)
    draft.replace(path)
