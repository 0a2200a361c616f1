# SPDX-License-Identifier: Apache-2.0
"""Metrics of an exported graph on the validation sources of its recipe, for tasks without a protocol of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mien.core import Float32, Indices, MetricValue
from mien.evaluation import bootstrap_metric
from mien.inference import create_session
from mien.training.data.batch_loader import clean_inputs, clean_targets
from mien.training.data.sources import load_source
from mien.training.engine.validation import task_metrics
from mien.training.export.onnx_export import GRAPH_INPUT
from mien.training.recipes.recipe import Recipe

_BATCH = 256


def measured_metrics(graph: bytes, recipe: Recipe, data: Path, outputs: Sequence[str]) -> tuple[MetricValue, ...]:
    """`mien.training.engine.validation.task_metrics` with intervals, for each source and task that it has labels of.

    Args:
        graph: ONNX model of the bundle.
        recipe: Recipe that it comes from.
        data: Folder of the data sets.
        outputs: Names of the graph's outputs, of the recipe's ``bundle_tasks`` in order.

    Returns:
        Metrics in order; those that these rows do not define, such as the correlation of a single one, are left out.
    """
    session, found = create_session(graph), []
    for source in recipe.data.valid:
        samples = load_source(source, data, recipe)
        blocks = []
        for start in range(0, len(samples), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(samples)))
            blocks.append(session.run({GRAPH_INPUT: clean_inputs(samples, recipe, rows)}))
        own = {task: samples.targets[task] for task in recipe.bundle_tasks if task in samples.targets}
        targets = clean_targets(samples, recipe, own)
        for task, output in zip(recipe.bundle_tasks, outputs, strict=False):  # an embedding may follow
            if task in targets:
                values = np.concatenate([block[output] for block in blocks])
                title = samples.records[0].title if samples.records else source.name
                found += bounded_metrics(task, values, targets[task], title, recipe.name)
    return tuple(found)


def bounded_metrics(task: str, values: Float32, targets: Float32, title: str, recipe: str) -> list[MetricValue]:
    """`task_metrics` of the rows whose labels are all known, with intervals and rounded, as a card has them.

    Args:
        task: Name of the task.
        values: (N, L) raw outputs.
        targets: (N, L) targets, NaN where unknown.
        title: Name of the data.
        recipe: Name of the recipe, whose training measures them again.
    """
    known = ~np.isnan(targets).any(axis=1)
    truth, values = targets[known], values[known]

    def one(rows: Indices, *, name: str) -> float:
        return task_metrics(task, values[rows], truth[rows])[name]

    metrics = []
    for name, value in task_metrics(task, values, truth).items():
        if not np.isfinite(value):
            continue  # a correlation of a single row, or of equal ones, cannot be measured
        metric = bootstrap_metric(name, len(truth), partial(one, name=name))
        rounded = {key: round(getattr(metric, key), 4) for key in ("value", "low", "high")}
        command = f"mien train {recipe} --data DATA --out OUT"
        metrics.append(dataclasses.replace(metric, **rounded, data=title, command=command))
    return metrics
