# SPDX-License-Identifier: Apache-2.0
"""Reader of C-EXPR-DB, compound expressions: the challenge's 56 videos without labels, and re-annotations."""

from __future__ import annotations

from pathlib import Path

from mien.core import COMPOUND_EXPRESSIONS
from mien.datasets.crop_folders import find_crops
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.text_files import AnnotationError, OnProblem, refuse, text_files_in
from mien.datasets.track_files import expression_format, find_list, has_words, load_frame_list, read_track_files

_NAME = "cexpr"

# Some re-annotations have an eighth class.
_EDITIONS = (COMPOUND_EXPRESSIONS, (*COMPOUND_EXPRESSIONS, "other"))
_FORM = expression_format({tuple(name.replace(" ", "_") for name in labels): labels for labels in _EDITIONS})


def load_cexpr(
    folder: str | Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Frames of the official list (``"test"``) or of a re-annotation (``"train"``) with one text file per video.

    Args:
        folder: Folder that holds the single list ``*.txt``, and for ``"train"`` a folder ``annotations`` with files in
            the form of Aff-Wild2: the class names as header, one class per line, -1 for a frame without a class.
        split: ``"test"`` or ``"train"``.
        crops: Name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.
        on_problem: Callback for annotation files that are left out; by default the first one ends the reading.

    Raises:
        AnnotationError: The split is missing or, without ``on_problem``, a file is malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("cexpr", folder)
        ...     samples = load_cexpr(folder, "train")
        >>> samples.expression_labels[samples.expression[0]], samples.valid_expression.tolist()
        ('fearfully surprised', [True, False, True, True])
    """
    folder = Path(folder)
    images = find_crops(folder, crops)
    if split == "test":
        return load_frame_list(find_list(folder, _may_be_list, "*test*.txt"), _NAME, images)
    if split != "train":
        raise AnnotationError(folder, f"C-EXPR-DB has the splits test and, re-annotated, train, not {split!r}")
    place = folder / "annotations"
    files = text_files_in(place) if place.is_dir() else []
    if not files:
        raise AnnotationError(place, "holds no annotation files (*.txt)")
    return read_track_files(files, _FORM, dataset=_NAME, split=split, crops=images, on_problem=on_problem)


def _may_be_list(path: Path) -> bool:
    """Whether a text file is neither an annotation of one video nor the list of another task."""
    return path.parent.name.lower() != "annotations" and not has_words(path, "va", "expr", "au", "mtl")
