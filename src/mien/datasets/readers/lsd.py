# SPDX-License-Identifier: Apache-2.0
"""The synthetic-data set of ABAW 4 (learning from synthetic data): a folder per expression."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mien.core import EXPRESSION_ORDERS
from mien.datasets.image_samples import ImageSamples
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import AnnotationError

_SPLITS = {"train": "training_set_synthetic_images", "valid": "validation_set_real_images", "test": "lsd_test_data"}
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# Folder, upper case -> canonical name; the owners' own spelling of the first is ANGRER.
_CLASSES = {"ANGRER": "anger", **{label.upper(): label for label in EXPRESSION_ORDERS["lsd_6"]}}


def load_lsd(folder: str | Path, split: str) -> ImageSamples:
    """Images and the expressions that their folders name.

    Args:
        folder: that holds the three folders of the release.
        split: ``"train"`` (synthetic), ``"valid"`` (real) or ``"test"`` (no labels).

    Raises:
        AnnotationError: a folder is missing, empty, or named after no expression.
    """
    folder = Path(folder)
    if split not in _SPLITS:
        raise AnnotationError(folder, f"LSD has the splits {', '.join(_SPLITS)}, not {split!r}")
    root, labels = folder / _SPLITS[split], EXPRESSION_ORDERS["lsd_6"]
    if not root.is_dir():
        raise AnnotationError(root, "no such folder")
    names: list[str] = []
    classes: list[int] = []
    if split == "test":
        names = _images_in(root)
        classes = [UNKNOWN] * len(names)
    else:
        for place, label in _class_folders(root).items():
            found = _images_in(place)
            names += [f"{place.name}/{name}" for name in found]
            classes += [labels.index(label)] * len(found)
    if not names:
        raise AnnotationError(root, "holds no images")
    return ImageSamples(
        dataset="lsd",
        split=split,
        folder=root,
        names=tuple(names),
        expression=np.array(classes, np.int8),
        expression_labels=labels,
        has_image=np.ones(len(names), dtype=bool),
    )


def _class_folders(root: Path) -> dict[Path, str]:
    """Every folder and its expression, in the order of the classes; all six must be there once."""
    places = sorted(path for path in root.iterdir() if path.is_dir())
    strange = [path for path in places if path.name.upper() not in _CLASSES]
    if strange:
        raise AnnotationError(strange[0], f"is named after no expression; known are {', '.join(_CLASSES)}")
    labelled = {path: _CLASSES[path.name.upper()] for path in places}
    for label in EXPRESSION_ORDERS["lsd_6"]:
        n = list(labelled.values()).count(label)
        if n != 1:
            raise AnnotationError(root, f"holds {n} folders for {label}; expected one")
    return dict(sorted(labelled.items(), key=lambda item: EXPRESSION_ORDERS["lsd_6"].index(item[1])))


def _images_in(folder: Path) -> list[str]:
    names = os.listdir(folder)  # noqa: PTH208 - a Path per file takes ten times as long
    return sorted(name for name in names if name.lower().endswith(_IMAGE_SUFFIXES))
