# SPDX-License-Identifier: Apache-2.0
"""What a network costs, whatever its weights: parameters, operations, size of its graph, milliseconds a face."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.flop_counter import FlopCounterMode

from mien.core import DIMENSIONS, EXPRESSION_ORDERS, MissingExtraError
from mien.datasets import AU_RULES
from mien.inference import RUNTIMES, Session, create_session, machine_name
from mien.training.export.onnx_export import export_onnx
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.reproduction.records import Cost, Speed

logger = logging.getLogger(__name__)

BATCHES = (1, 16)

_REPEATS = 7
_SECONDS_A_REPEAT = 0.15


def create_untrained(recipe: Recipe) -> AffectNetwork:
    """The network of a recipe with random weights and as many outputs as its labels have.

    Action units are those of the workshop's pseudo-labels where the recipe has such a head.
    """
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": tuple(AU_RULES),
    }
    model = dataclasses.replace(recipe.model, start="scratch")
    return AffectNetwork(dataclasses.replace(recipe, model=model), labels).eval()


def measure_cost(recipe: Recipe, graph: Path, threads: int) -> Cost:
    """Everything about the network of a recipe at the recipe's size.

    Args:
        recipe: with a backbone.
        graph: its exported graph; written with random weights where there is none.
        threads: of the runtimes.

    Raises:
        ConfigError: the network does not take crops of this size.
    """
    model = recipe.model
    network = create_untrained(recipe)
    if not graph.is_file():
        _write_graph(graph, export_onnx(network, model.input_px))
    crops = np.random.default_rng(0).integers(
        0, 256, (max(BATCHES), model.input_px, model.input_px, model.n_channels), dtype=np.uint8
    )
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(crops[:1]))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Cost(
        size_px=model.input_px,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gflop=round(counter.get_total_flops() / 1e9, 4),
        onnx_mb=round(graph.stat().st_size / 1e6, 2),
        speeds=measure_speeds(graph, crops, threads),
        threads=threads,
        machine=f"{machine_name()}, {today}",
    )


def measure_speeds(graph: Path, crops: npt.NDArray[np.uint8], threads: int) -> tuple[Speed, ...]:
    """Milliseconds a face by every runtime that is installed; they take turns, so that other work slows all alike.

    Args:
        graph: that takes crops (N, S, S, C).
        crops: as many as the largest of `BATCHES`.
        threads: of each runtime.
    """
    works: list[tuple[str, int, Callable[[], float]]] = []
    for runtime in RUNTIMES:
        try:
            session = create_session(graph, runtime=runtime, threads=threads)
        except MissingExtraError as error:
            logger.info("%s is not measured: %s", runtime, error)
            continue
        works += [(runtime, batch, _stopwatch(session, crops[:batch])) for batch in BATCHES]
    times: list[list[float]] = [[] for _ in works]
    for _ in range(_REPEATS):
        for (_, _, work), found in zip(works, times, strict=True):
            found.append(work())
    return tuple(
        Speed(
            runtime=runtime,
            batch=batch,
            ms=round(1000 * statistics.median(found) / batch, 3),
            spread=round((max(found) - min(found)) / statistics.median(found), 2),
        )
        for (runtime, batch, _), found in zip(works, times, strict=True)
    )


def _stopwatch(session: Session, crops: npt.NDArray[np.uint8]) -> Callable[[], float]:
    """Seconds a call, the mean over as many calls as fill a repetition."""
    inputs = {session.input_names[0]: crops}
    session.run(inputs)  # the first call allocates
    started = time.perf_counter()
    session.run(inputs)
    n_calls = max(1, round(_SECONDS_A_REPEAT / (time.perf_counter() - started)))

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(n_calls):
            session.run(inputs)
        return (time.perf_counter() - started) / n_calls

    return seconds


def _write_graph(path: Path, graph: bytes) -> None:
    """As a whole, so that a half-written graph is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(graph)
    draft.replace(path)
