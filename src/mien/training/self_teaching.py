# SPDX-License-Identifier: Apache-2.0
"""What a network so far teaches itself at the start of a stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.faces import resize_face
from mien.training.augment import gray_48_copy
from mien.training.batches import clean_inputs
from mien.training.data import Rows, TeachingSet
from mien.training.network import AffectNetwork
from mien.training.recipe import Recipe
from mien.training.schedule_settings import StageSettings
from mien.training.stored_vectors import is_vectors
from mien.training.teachers import blend

Floats = npt.NDArray[np.float32]

_BATCH = 128


def distill(
    targets: dict[str, Floats],
    network: AffectNetwork,
    samples: TeachingSet,
    recipe: Recipe,
    stage: StageSettings,
    kept: Path,
) -> dict[str, Floats]:
    """Give secondary rows what the network sees in their gray 48-px copies, its home ground.

    A label that such a row already has (LFW's, noisy) keeps its share; valence and arousal are replaced.
    """
    rows = np.flatnonzero(~samples.primary)
    seen = _answers(network, samples, recipe, stage, rows, kept)
    taught = {task: values.copy() for task, values in targets.items()}
    own = samples.targets["expression"][rows]
    taught["expression"][rows] = blend(own, seen["expression"], 1 - stage.named_share)
    if "valence_arousal" in taught and "valence_arousal" in seen:
        taught["valence_arousal"][rows] = seen["valence_arousal"]
    return taught


def self_teach(
    targets: dict[str, Floats],
    network: AffectNetwork,
    samples: TeachingSet,
    recipe: Recipe,
    stage: StageSettings,
    kept: Path,
) -> dict[str, Floats]:
    """Give the expression targets of primary rows a share of the network's own answer."""
    rows = np.flatnonzero(samples.primary)
    seen = _answers(network, samples, recipe, stage, rows, kept)
    taught = dict(targets)
    taught["expression"] = targets["expression"].copy()
    taught["expression"][rows] = blend(targets["expression"][rows], seen["expression"], stage.self_teaching)
    return taught


def _answers(
    network: AffectNetwork, samples: TeachingSet, recipe: Recipe, stage: StageSettings, rows: Rows, kept: Path
) -> dict[str, Floats]:
    """Expression shares, and values, of gray 48-px copies, or of vectors as they are.

    Kept in a file, so that going on changes nothing.
    """
    if not kept.is_file():
        draft = kept.with_suffix(".tmp.npz")
        np.savez(draft, **_see_copies(network, samples, recipe, stage, rows))  # type: ignore[arg-type]  # NumPy types its one option first
        draft.replace(kept)
    with np.load(kept) as seen:
        return dict(seen)


def _see_copies(
    network: AffectNetwork, samples: TeachingSet, recipe: Recipe, stage: StageSettings, rows: Rows
) -> dict[str, Floats]:
    network.eval()
    device = next(network.parameters()).device
    size, channels = stage.answers_px or recipe.model.input_px, recipe.model.n_channels
    wanted: list[str] = [task for task in ("expression", "valence_arousal") if task in network.tasks]
    seen: dict[str, list[Floats]] = {task: [] for task in wanted}
    pictures = None if is_vectors(samples.inputs) else samples.inputs
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        inputs = (
            clean_inputs(samples, recipe, chosen)
            if pictures is None
            else np.stack(
                [resize_face(gray_48_copy(pictures[int(row)]), size).reshape(size, size, channels) for row in chosen]
            )
        )
        with torch.inference_mode():
            outputs = dict(zip(network.tasks, network(torch.from_numpy(inputs).to(device)), strict=False))
        for task in wanted:
            values = outputs[task].float()
            seen[task].append((values.softmax(dim=1) if task == "expression" else values).cpu().numpy())
    n_labels = {task: len(samples.labels[task]) for task in wanted}
    return {
        task: np.concatenate(parts) if parts else np.empty((0, n_labels[task]), np.float32)
        for task, parts in seen.items()
    }
