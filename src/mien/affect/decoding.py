# SPDX-License-Identifier: Apache-2.0
"""From a graph's raw outputs to numbers with a meaning, as the bundle's tasks say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import EXPRESSIONS, ModelSpec, TaskSpec

Floats = npt.NDArray[np.float32]


def activate(raw: Floats, task: TaskSpec) -> Floats:
    """The values of a task (N, L) from its raw outputs (N, L): temperature, activation, range."""
    scaled = raw.astype(np.float32) / np.float32(task.temperature)
    if task.activation == "softmax":
        shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)
    if task.activation == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scaled)), dtype=np.float32)
    return np.asarray(np.clip(scaled, task.low, task.high), dtype=np.float32)


@dataclass(frozen=True)
class Decoder:
    """Turns the outputs of one bundle into the fields of `Faces`.

    Expressions come out in canonical order whatever the order of the graph; classes that are not canonical follow.

    Attributes:
        spec: of the bundle.
        keep_features: whether the embedding is passed on.
    """

    spec: ModelSpec
    keep_features: bool = False

    @property
    def expression_labels(self) -> tuple[str, ...]:
        """Labels of the expression columns; empty where the bundle has none."""
        task = self.spec.task("expression")
        if task is None:
            return ()
        known = tuple(label for label in EXPRESSIONS if label in task.labels)
        return known + tuple(label for label in task.labels if label not in EXPRESSIONS)

    @property
    def action_unit_labels(self) -> tuple[str, ...]:
        """Labels of the action-unit columns in ascending order; empty where the bundle has none."""
        task = self.spec.task("action_units")
        return tuple(sorted(task.labels)) if task else ()

    def __call__(self, outputs: dict[str, Floats]) -> dict[str, Any]:
        """Keyword arguments of `Faces` for N >= 1 faces."""
        fields: dict[str, Any] = {
            "expression_labels": self.expression_labels,
            "action_unit_labels": self.action_unit_labels,
        }
        for task in self.spec.tasks:
            values = activate(outputs[task.output], task)
            if task.task == "valence_arousal":
                fields["valence"], fields["arousal"] = values.T
            else:
                order = fields[{"expression": "expression_labels", "action_units": "action_unit_labels"}[task.task]]
                fields[task.task] = values[:, [task.labels.index(label) for label in order]]
        if self.keep_features and self.spec.features:
            fields["features"] = outputs[self.spec.features]
        return fields
