# SPDX-License-Identifier: Apache-2.0
"""Reader of the synthetic-data set of ABAW 4 (learning from synthetic data), which has a folder per expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core import EXPRESSION_ORDERS
from mien.datasets.crop_folders import find_folder, images_in, subfolders
from mien.datasets.image_samples import ImageSamples
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import AnnotationError

_SPLITS = {"train": "training_set_synthetic_images", "valid": "validation_set_real_images", "test": "lsd_test_data"}

# Folder in upper case -> canonical name; the owners spell the first one ANGRER.
_CLASSES = {"ANGRER": "anger", **{label.upper(): label for label in EXPRESSION_ORDERS["lsd_6"]}}


def load_lsd(folder: str | Path, split: str) -> ImageSamples:
    """Images of a split, with the expressions that their folders name.

    Args:
        folder: Folder that holds the three folders of the release.
        split: ``"train"`` (synthetic), ``"valid"`` (real) or ``"test"`` (no labels).

    Raises:
        AnnotationError: A folder is missing, empty, or not named after an expression.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("lsd", folder)
        ...     samples = load_lsd(folder, "train")
        >>> samples.names[0], samples.expression_labels[samples.expression[0]]
        ('ANGRER/1.jpg', 'anger')
    """
    folder = Path(folder)
    if split not in _SPLITS:
        raise AnnotationError(folder, f"LSD has the splits {', '.join(_SPLITS)}, not {split!r}")
    root, labels = find_folder(folder, _SPLITS[split]), EXPRESSION_ORDERS["lsd_6"]
    if root is None:
        raise AnnotationError(folder / _SPLITS[split], "no such folder")
    names: list[str] = []
    classes: list[int] = []
    if split == "test":
        names = images_in(root)
        classes = [UNKNOWN] * len(names)
    else:
        for place, label in _class_folders(root).items():
            found = images_in(place)
            if not found:
                raise AnnotationError(place, "holds no images; each expression has some")
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
    """Class folders and their expressions, in the order of the classes; each of the six must occur once."""
    places = subfolders(root)
    strange = [path for path in places if path.name.upper() not in _CLASSES]
    if strange:
        raise AnnotationError(strange[0], f"is not named after an expression; known are {', '.join(_CLASSES)}")
    labelled = {path: _CLASSES[path.name.upper()] for path in places}
    for label in EXPRESSION_ORDERS["lsd_6"]:
        n = list(labelled.values()).count(label)
        if n != 1:
            raise AnnotationError(root, f"holds {n} folders for {label}; expected one")
    return dict(sorted(labelled.items(), key=lambda item: EXPRESSION_ORDERS["lsd_6"].index(item[1])))
