# SPDX-License-Identifier: Apache-2.0
"""Trains heads on stored vectors and exports them together with the frozen bundle that made the vectors."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import cast

import numpy as np

from mien.core import HEAD_VERSION, INTENSITY_LABELS, ConfigError, HeadInput, HeadSpec, HeadTask, ModelSpec
from mien.datasets import find_crops
from mien.inference import Bundle, load_bundle
from mien.results import FeatureInfo
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.feature_sources import fit_recipe
from mien.training.data.sources import TrainingData
from mien.training.engine.compute import ComputeSettings
from mien.training.engine.targets import card_sentences
from mien.training.engine.trainer import Trainer
from mien.training.export.bundle_files import write_bundle, write_head
from mien.training.export.merged_graphs import merge_graphs, merged_parity_gap
from mien.training.export.onnx_export import (
    GRAPH_INPUT,
    calibrate,
    describe,
    export_onnx,
    output_names,
    parity_gap,
)
from mien.training.picture_training import (
    evaluate_bundle,
    is_refit,
    provenance,
    run_graph,
    selection_caveats,
    train_network,
)
from mien.training.recipes.recipe import Recipe

logger = logging.getLogger(__name__)

_N_PARITY = 64
_FRAME_TASKS = ("expression", "valence_arousal", "action_units")
_FRAME_UNIT = "logits of expressions and action units, which mien makes probabilities; valence and arousal in [-1, 1]"


def train_head(
    recipe: Recipe,
    data: Path,
    out: Path,
    work: Path,
    compute: ComputeSettings | None = None,
    model: str | Path | None = None,
) -> ModelSpec | HeadSpec | None:
    """Train a recipe of stored vectors.

    A head over frames becomes one bundle with the frozen network that made the vectors: crops in, the head's
    predictions out. A head over clips, or over the frames' sound or OpenFace's action units, becomes a folder for
    `mien.inference.load_head`.

    Args:
        recipe: Recipe with ``[[model.vectors]]``; their lengths follow the stored ones.
        data: Folder of the data sets, with the shards below it.
        out: Folder of the new bundle or head.
        work: Folder for checkpoints; an interrupted training resumes from there.
        compute: Devices and threads.
        model: Name or folder of the bundle that made the vectors; None for the name in the shards.

    Returns:
        The description of the bundle or head; None in the further processes of a training on several devices.

    Raises:
        ConfigError: The recipe does not fit the data, or the bundle did not make the vectors.
        DatasetError: Labels or vectors are missing.
        ModelError: The bundle is missing, or the exported graph and the network disagree.
    """
    compute = compute or ComputeSettings()
    if not recipe.model.vectors:
        raise ConfigError(f"{recipe.name} has no [[model.vectors]]: the bundle that made its vectors is unknown")
    recipe, made = fit_recipe(recipe, data)
    # Loaded before hours of training, so that a missing bundle is an error now.
    if stays_head := recipe.model.clip != "frames" or not all(info.settings.get("crops") for info in made):
        _check_task(recipe)
    backbone = None if stays_head else _load_backbone(model, made)
    trainer, training_data = train_network(recipe, data, work, compute)
    if not trainer.fabric.is_global_zero:
        return None
    graph = export_onnx(trainer.result.cpu(), recipe.model.n_vector)
    checked = clean_inputs(training_data.train_set, recipe, np.arange(min(_N_PARITY, len(training_data.train_set))))
    gap = parity_gap(trainer.result, graph, checked)
    if backbone is None:
        return _write_head(out, graph, made, _Trained(recipe, trainer, training_data, gap, compute))
    trained = _Trained(recipe, trainer, training_data, gap, compute)
    spec = _write_merged(out, graph, backbone, trained)
    # A head over fewer classes than the data set has, as for compound expressions, is not what its protocol measures.
    partly = "expression" in recipe.tasks and recipe.data.expressions not in ("affwild2_8", "affwild2_7")
    has_crops = find_crops(data, None) is not None
    protocols = training_data.card.protocols if has_crops and not (partly or is_refit(recipe)) else ()
    return evaluate_bundle(out, data, spec, protocols)


@dataclasses.dataclass(frozen=True, eq=False)
class _Trained:
    """A trained head and everything that its card is written from."""

    recipe: Recipe
    trainer: Trainer
    training_data: TrainingData
    gap: float
    compute: ComputeSettings

    @property
    def limitations(self) -> tuple[str, ...]:
        return (
            *self.training_data.card.limitations,
            *card_sentences(self.recipe),
            *self.recipe.limitations,
            *selection_caveats(self.recipe, self.trainer),
        )


def _load_backbone(model: str | Path | None, made: tuple[FeatureInfo, ...]) -> Bundle:
    digests = {info.digest for info in made}
    if len(digests) > 1:
        names = ", ".join(dict.fromkeys(info.made_by for info in made))
        raise ConfigError(f"the vectors come from several bundles ({names}); one bundle can hold one of them")
    found = load_bundle(model or made[0].made_by, kind="affect")
    if found.digest not in digests:
        raise ConfigError(
            f"{found.folder} has digest {found.digest[:12]}, the vectors were made by {made[0].made_by} "
            f"{made[0].digest[:12]}; name its folder with --model, or extract the vectors again"
        )
    return found


def _write_merged(out: Path, head: bytes, backbone: Bundle, trained: _Trained) -> ModelSpec:
    recipe, training_data = trained.recipe, trained.training_data
    network = trained.trainer.result
    names = output_names(network)[:-1]
    graph = merge_graphs(backbone, head, names, recipe.model)
    gap = merged_parity_gap(backbone, network, graph, names, recipe.model)
    logger.info("the merged graph and its parts differ by at most %.1e on the same pictures", gap)
    spec = describe(recipe, "1", graph, training_data.train_set.labels)
    if training_data.calibration is not None:
        outputs = run_graph(head, training_data.calibration, recipe, spec)
        spec = calibrate(
            spec, outputs, training_data.calibration.targets, recipe.calibration, training_data.card.inferred
        )
    base = backbone.spec
    spec = dataclasses.replace(
        spec,
        input=base.input,
        crop=base.crop,
        features=base.features,
        smoothing=recipe.smoothing,
        blend=recipe.blend,
        weights_notice=" ".join(
            dict.fromkeys(text for text in (base.weights_notice, training_data.card.notice) if text)
        ),
        training_sources=(*base.training_sources, *training_data.card.training_sources),
        provenance=f"{provenance(recipe, trained.trainer, max(gap, trained.gap), trained.compute)}; "
        f"on the frozen features of {base.name} {backbone.digest[:12]}",
        limitations=tuple(dict.fromkeys((*base.limitations, *trained.limitations))),
    )
    write_bundle(out, graph, spec)
    return spec


def _write_head(out: Path, graph: bytes, made: tuple[FeatureInfo, ...], trained: _Trained) -> HeadSpec:
    recipe, training_data = trained.recipe, trained.training_data
    task = cast("HeadTask", recipe.tasks[0])
    per_frame = recipe.model.clip == "frames"
    spec = HeadSpec(
        head_version=HEAD_VERSION,
        name=recipe.name,
        version="1",
        sha256=hashlib.sha256(graph).hexdigest(),
        task=task,
        labels=training_data.train_set.labels[task],
        inputs=tuple(
            HeadInput(
                made_by=info.made_by,
                digest=info.digest,
                part=stretch.part,
                n=stretch.n,
                every=stretch.every,
                steps=recipe.model.n_steps,
                per_frame=per_frame,
            )
            for stretch, info in zip(recipe.model.vectors, made, strict=True)
        ),
        input=GRAPH_INPUT,
        output=output_names(trained.trainer.result)[0],
        unit=_FRAME_UNIT if per_frame else "intensity as a share of the largest rating",
        weights_notice=training_data.card.notice,
        training_sources=training_data.card.training_sources,
        limitations=trained.limitations,
        recipe=recipe.name,
        provenance=provenance(recipe, trained.trainer, trained.gap, trained.compute),
        blend=recipe.blend,
    )
    write_head(out, graph, spec)
    return spec


def _check_task(recipe: Recipe) -> None:
    """A head that stays by itself has one task."""
    fits = _FRAME_TASKS if recipe.model.clip == "frames" else tuple(INTENSITY_LABELS)
    if len(recipe.tasks) != 1 or recipe.tasks[0] not in fits:
        over = "frames without a network of its own" if recipe.model.clip == "frames" else "clips"
        raise ConfigError(f"a head over {over} has one task of {fits}, got {recipe.tasks}")
