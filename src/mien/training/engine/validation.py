# SPDX-License-Identifier: Apache-2.0
"""Predictions of a network for whole sets and their metrics, for selecting epochs, distillation and calibration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.core import LIMB_ENDS
from mien.metrics import LabelCounts, Moments, macro_f1, mpjpe, pcp
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.losses.registry import Loss
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe

Floats = npt.NDArray[np.float32]

_BATCH = 128
# Tasks of parts in windows, whose outputs are no values of the labels.
_WINDOW_TASKS = ("face_parts", "body_parts")
# Tasks of whole utterances with a probability for each label.
_UTTERANCE_FLAGS = ("emotion", "sarcasm")


def raw_outputs(
    network: AffectNetwork, samples: TrainingSet, recipe: Recipe, rows: Rows | None = None
) -> dict[str, Floats]:
    """Raw outputs of the network for clean inputs, cut as the recipe's bundle reads crops.

    Args:
        network: Network on any device; it is left in evaluation mode.
        samples: Set of N samples.
        recipe: Recipe of the network.
        rows: (M,) rows of the set; None for all N.

    Returns:
        Task -> (M, L) raw outputs.
    """
    network.eval()
    device = next(network.parameters()).device
    chosen = np.arange(len(samples)) if rows is None else rows
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(chosen), _BATCH):
            inputs = torch.from_numpy(clean_inputs(samples, recipe, chosen[start : start + _BATCH]))
            parts.append(tuple(output.float().cpu() for output in network(inputs.to(device))))
    return {
        task: torch.cat([part[column] for part in parts]).numpy().astype(np.float32, copy=False)
        for column, task in enumerate(network.tasks)
    }


def validation_metrics(
    outputs: Mapping[str, Floats],
    targets: Mapping[str, Floats],
    losses: Mapping[str, Loss],
    weights: Mapping[str, float],
    penalties: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Metrics over a whole set, each task on its own known rows.

    ``"loss"`` is the weighted sum of the tasks' losses; ``"TASK loss"`` each one, with its penalty. For expressions
    also ``"expression accuracy"`` and ``"expression macro F1"``, for identities ``"identity accuracy"``, for valence
    and arousal ``"P_VA"``, for action units ``"P_AU"`` (mean F1 at 0.5), for emotions and sarcasm of utterances
    ``"TASK weighted F1"`` (at 0.5, weighted by the number of rows with the label) and ``"TASK accuracy"`` (of all
    decisions), for body joints ``"PCP"`` and ``"MPJPE"`` (in crop sides), for parts in windows nothing, for any other
    task its ``"TASK Pearson"``; ``"P_MTL"`` where all three are there.

    Args:
        outputs: Task -> (N, L) raw outputs.
        targets: Task -> (N, L) targets, NaN where unknown.
        losses: Task -> loss.
        weights: Task -> weight of the loss.
        penalties: Task -> L2 penalty of its head; None for none.
    """
    found: dict[str, float] = {}
    extra = dict(penalties or {})
    for task, values in outputs.items():
        truth = targets[task]
        found[f"{task} loss"] = float(losses[task](torch.tensor(values), torch.tensor(truth)))
        known = ~np.isnan(truth).any(axis=1)
        if not known.any():
            continue
        found |= task_metrics(task, values[known], truth[known])
    found["loss"] = sum(weights[task] * found[f"{task} loss"] + extra.get(task, 0.0) for task in outputs)
    for task, penalty in extra.items():
        found[f"{task} loss"] += penalty
    parts = [found.get(name) for name in ("P_VA", "expression macro F1", "P_AU")]
    if None not in parts:
        found["P_MTL"] = sum(part for part in parts if part is not None)
    return found


def task_metrics(task: str, values: Floats, truth: Floats) -> dict[str, float]:
    """The metrics of one task that `validation_metrics` has.

    Args:
        task: Name of the task.
        values: (N, L) raw outputs.
        truth: (N, L) targets, all known.
    """
    if task == "identity":
        return {"identity accuracy": float((values.argmax(axis=1) == truth[:, 0]).mean())}
    if task == "expression":
        predicted, label = values.argmax(axis=1), truth.argmax(axis=1)
        return {
            "expression accuracy": float((predicted == label).mean()),
            "expression macro F1": macro_f1(label, predicted, values.shape[1]),
        }
    if task == "action_units":
        return {"P_AU": float(LabelCounts.of_flags(truth >= 0.5, values >= 0).macro_f1)}
    if task in _UTTERANCE_FLAGS:
        flags, predicted = truth >= 0.5, values >= 0
        counts = LabelCounts.of_flags(flags, predicted)
        support = flags.sum(axis=0)
        weighted = float((np.nan_to_num(counts.f1) * support).sum() / max(int(support.sum()), 1))
        return {f"{task} weighted F1": weighted, f"{task} accuracy": float((flags == predicted).mean())}
    if task == "joints":
        found, true = (side.reshape(len(side), -1, 2) for side in (values, truth))
        return {"PCP": pcp(found, true, LIMB_ENDS), "MPJPE": mpjpe(found, true)}
    if task in _WINDOW_TASKS:
        return {}
    moments = Moments.of(truth, values)
    if task == "valence_arousal":
        return {"P_VA": float(moments.ccc.mean())}
    return {f"{task} Pearson": float(moments.pearson.mean())}
