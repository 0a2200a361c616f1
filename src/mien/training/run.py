# SPDX-License-Identifier: Apache-2.0
"""A whole training: data, network, calibration, export, parity, measurement."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import os
import platform
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.affect import Analyzer
from mien.core import Figure, ModelSpec, TeachingSource
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE, FaceSamples, OpenFaces, load_open_faces
from mien.evaluation import PROTOCOLS
from mien.faces import resize_face
from mien.inference import create_session
from mien.training.engine import TeachingSet, Trainer, decode_gray
from mien.training.export import calibrate, describe, export_onnx, parity_gap, write_bundle, write_spec
from mien.training.recipe import Recipe

logger = logging.getLogger(__name__)

# Protocols whose data lie in the same folder as what teaches.
_MEASURED_BY = ("ferplus", "lfw")

_NOTICE = (
    "Taught on images collected for research (FER2013, LFW) and on CC BY 4.0 images (FairFace): "
    "check their terms before commercial use."
)
_LIMITS = (
    "It sees facial movements and guesses what a group of raters would call them; it does not see feelings.",
    "Not for decisions about people: hiring, policing, schooling, insurance, diagnosis.",
    "Valence and arousal were mapped from votes: valence stays within about [-.66, .57], arousal within [-.56, .74]; "
    "extremes cannot be reached.",
    "Disgust, fear and contempt were rare in teaching and are often missed.",
    "Action units are pseudo-labels of a landmark model, not of FACS coders; AU06 is inferred from the smile and the "
    "eye squint together; AU09, AU14 and AU23 are not given.",
    "AU15, AU17, AU20 and AU24 agree little with the teacher (F1 below .5): read them as hints.",
    "The last stage of the recipe was added after a look at FER+ valid, so those figures are a little kind.",
    "Profiles, faces below about 30 px, strong blur and covered mouths make every number worse.",
)


def train_bundle(recipe: Recipe, data: Path, out: Path, work: Path, threads: int | None = None) -> ModelSpec:
    """Train the recipe and write a measured bundle.

    Args:
        recipe: what to do.
        data: folder of the open face sets (layout: docs/training.md).
        out: folder of the new bundle.
        work: folder for checkpoints; an interrupted training goes on from the last epoch.
        threads: of torch; None leaves its default.

    Raises:
        DatasetError: the data are incomplete.
        ModelError: the exported graph and the network disagree.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    faces = load_open_faces(data, recipe.calibration_rows)
    trainer = Trainer(recipe, TeachingSet.decode(faces.teaching, faces.voted), FERPLUS_TEMPLATE, work)
    network = trainer.run()
    graph = export_onnx(network, recipe.model.input_px)
    crops = _crops(faces.calibration, recipe.model.input_px)
    gap = parity_gap(network, graph, crops[:64])
    logger.info("torch and the runtime differ by at most %.1e on 64 faces", gap)
    units = faces.teaching.action_unit_labels
    spec = describe(recipe.name, "1", graph, recipe.model.input_px, FERPLUS_TEMPLATE, units)
    outputs = create_session(graph).run({spec.input.name: crops})
    inferred = tuple(name for name, rule in AU_RULES.items() if not rule.observed)
    spec = calibrate(spec, outputs, faces.calibration.expression, faces.calibration.action_units, inferred)
    spec = dataclasses.replace(
        spec,
        weights_notice=_NOTICE,
        taught_by=_sources(faces),
        recipe=recipe.name,
        made=_made(recipe, trainer.seconds, gap),
        limits=_LIMITS,
    )
    write_bundle(out, graph, spec)
    return measure_bundle(out, data, spec)


def measure_bundle(folder: Path, data: Path, spec: ModelSpec) -> ModelSpec:
    """Measure the bundle as users would and write the figures into it."""
    figures = []
    for name in _MEASURED_BY:
        report = PROTOCOLS.load(name)(Analyzer(folder), data)
        figures += [
            Figure(
                measure=m.name,
                data=report.data,
                n=m.n,
                value=round(m.value, 4),
                low=round(m.low, 4),
                high=round(m.high, 4),
                command=f"mien evaluate {name} --data DATA --bundle {spec.name}",
            )
            for m in report.measures
        ]
    spec = dataclasses.replace(spec, figures=tuple(figures))
    write_spec(folder, spec)
    return spec


def _crops(samples: FaceSamples, size_px: int) -> npt.NDArray[np.uint8]:
    """The pictures as `Analyzer.crops` prepares them: (N, S, S, 1)."""
    return np.stack([resize_face(decode_gray(image), size_px) for image in samples.images])[..., None]


def _sources(faces: OpenFaces) -> tuple[TeachingSource, ...]:
    n_voted = int(faces.voted.sum())
    n_lfw = int((~np.isnan(faces.teaching.expression[~faces.voted]).any(axis=1)).sum())
    n_fairface = len(faces.teaching) - n_voted - n_lfw
    research = "images collected from the web for research; "
    return (
        TeachingSource(
            name="FER+ (FER2013) train",
            role="expression votes, mapped valence and arousal, action-unit pseudo-labels",
            n=n_voted,
            licence=research + "labels MIT",
        ),
        TeachingSource(
            name="FairFace train",
            role="action-unit pseudo-labels; own predictions on gray 48-px copies as expression targets",
            n=n_fairface,
            licence="CC BY 4.0",
        ),
        TeachingSource(
            name="LFW expression, teaching people",
            role="noisy expression labels at half weight, action-unit pseudo-labels",
            n=n_lfw,
            licence=research + "collection Apache-2.0",
        ),
        TeachingSource(
            name="AffectNetC25, random images",
            role="ratings for the map from votes to valence and arousal (no pixels)",
            n=800,
            licence="published by its authors",
        ),
        TeachingSource(
            name="MediaPipe Face Landmarker",
            role="teacher of action units and alignment points",
            n=len(faces.teaching),
            licence="Apache-2.0",
        ),
        TeachingSource(name="ImageNet EfficientNet-Lite0", role="start weights", n=0, licence="Apache-2.0"),
    )


def _made(recipe: Recipe, seconds: float, gap: float) -> str:
    epochs = " + ".join(f"{stage.epochs} at {stage.size_px} px" for stage in recipe.stages)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"{today}, {epochs} epochs in {seconds / 60:.0f} min on {os.cpu_count()} CPU cores ({platform.machine()}), "
        f"seed {recipe.seed}, torch {torch.__version__}; parity with torch {gap:.1e}"
    )
