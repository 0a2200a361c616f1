# SPDX-License-Identifier: Apache-2.0
"""Frozen features and labels of FER+ faces, in the layout of the data source ``vectors``; extracted once per bundle."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import fit_crop
from mien.core import DIMENSIONS, EXPRESSIONS
from mien.datasets import FaceSamples, load_ferplus
from mien.evaluation.face_crops import decode_pictures
from mien.inference import Bundle, load_bundle
from mien.pipeline import FaceVectors
from mien.results import FeatureInfo

Floats = npt.NDArray[np.float32]

SPLITS = ("train", "valid")

_BATCH = 64
_DIGEST_FILE = "made_by.json"


def extract(data: Path, folder: Path, model: str) -> FeatureInfo:
    """Write ``<split>/inputs.npy`` (features, then raw scores) and the labels, unless the folder has them already.

    Args:
        data: folder of the open face sets.
        folder: output folder.
        model: name or folder of the frozen bundle.
    """
    bundle = load_bundle(model, threads=1)
    faces = FaceVectors.of(bundle)
    info = faces.info(bundle.digest, float16=False, settings={})
    mark = folder / _DIGEST_FILE
    if mark.is_file() and json.loads(mark.read_text("utf-8")) == bundle.digest:
        return info
    for split in SPLITS:
        samples = load_ferplus(data, split)
        place = folder / split
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / "inputs.npy", np.concatenate(list(_vectors(samples, bundle))))
        np.save(place / "expression.npy", samples.expression)
        np.save(place / "valence_arousal.npy", samples.valence_arousal)
        np.save(place / "action_units.npy", samples.action_units)
        np.save(place / "groups.npy", np.array(samples.names))
    labels = {
        "expression": EXPRESSIONS,
        "valence_arousal": DIMENSIONS,
        "action_units": samples.action_unit_labels,
    }
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    mark.write_text(json.dumps(bundle.digest), encoding="utf-8")
    return info


def _vectors(samples: FaceSamples, bundle: Bundle) -> Iterator[Floats]:
    """Yield features and raw scores side by side, batch by batch."""
    images = iter(decode_pictures(samples))
    while batch := list(itertools.islice(images, _BATCH)):
        outputs = bundle.run(np.stack([fit_crop(image, bundle.spec) for image in batch]))
        scores = [outputs[task.output] for task in bundle.spec.tasks]
        yield np.concatenate([outputs[bundle.spec.features], *scores], axis=1)
