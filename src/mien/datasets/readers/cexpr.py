# SPDX-License-Identifier: Apache-2.0
"""C-EXPR-DB: compound expressions; 56 videos without labels for the challenge, and re-annotations by others."""

from __future__ import annotations

from pathlib import Path

from mien.core import COMPOUND_EXPRESSIONS
from mien.datasets.crop_folders import find_crops
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.text_files import AnnotationError, OnProblem, refuse
from mien.datasets.track_files import expression_format, load_frame_list, read_track_files

_NAME = "cexpr"

# Some re-annotations have an eighth class.
_EDITIONS = (COMPOUND_EXPRESSIONS, (*COMPOUND_EXPRESSIONS, "other"))
_FORM = expression_format({tuple(name.replace(" ", "_") for name in labels): labels for labels in _EDITIONS})


def load_cexpr(
    folder: str | Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """The official list of frames (``"test"``), or a re-annotation (``"train"``) as one text file per video.

    Args:
        folder: that holds the one list ``*.txt``, and for ``"train"`` a folder ``annotations`` of files in the form
            of Aff-Wild2: the class names as header, one class per line, -1 for a frame without one.
        split: ``"test"`` or ``"train"``.
        crops: name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.
        on_problem: hears of annotation files that are left out.

    Raises:
        AnnotationError: the split is missing or, without ``on_problem``, a file is malformed.
    """
    folder = Path(folder)
    images = find_crops(folder, crops)
    if split == "test":
        lists = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
        if len(lists) != 1:
            raise AnnotationError(folder, f"holds {len(lists)} lists of frames (*.txt) instead of one")
        return load_frame_list(lists[0], _NAME, images)
    if split != "train":
        raise AnnotationError(folder, f"C-EXPR-DB has the splits test and, re-annotated, train, not {split!r}")
    files = sorted((folder / "annotations").glob("[!.]*.txt"))
    if not files:
        raise AnnotationError(folder / "annotations", "holds no annotation files (*.txt)")
    return read_track_files(files, _FORM, dataset=_NAME, split=split, crops=images, on_problem=on_problem)
