# SPDX-License-Identifier: Apache-2.0
"""C-EXPR-DB: compound expressions; 56 videos without labels for the challenge, and re-annotations by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.datasets.columns import UNKNOWN
from mien.datasets.crops import find_crops, match_crops
from mien.datasets.documents import load_document
from mien.datasets.frame_lists import load_frame_list
from mien.datasets.frames import FrameSamples
from mien.datasets.problems import AnnotationError, OnProblem, refuse
from mien.datasets.tables import Field, read_rows

COMPOUND_EXPRESSIONS = (
    "fearfully surprised",
    "happily surprised",
    "sadly surprised",
    "disgustedly surprised",
    "angrily surprised",
    "sadly fearful",
    "sadly angry",
)
"""The seven compound expressions, in the order of submissions."""

_NAME = "cexpr"
_OTHER = "other"  # an eighth class of some re-annotations


def load_cexpr(folder: Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse) -> FrameSamples:
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
    images = find_crops(folder, crops)
    if split == "test":
        lists = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
        if len(lists) != 1:
            raise AnnotationError(folder, f"holds {len(lists)} lists of frames (*.txt) instead of one")
        return load_frame_list(lists[0], _NAME, images)
    if split != "train":
        raise AnnotationError(folder, f"C-EXPR-DB has the splits test and, re-annotated, train, not {split!r}")
    return _load_annotations(folder / "annotations", images, on_problem)


def _load_annotations(folder: Path, crops: Path | None, on_problem: OnProblem) -> FrameSamples:
    tracks, parts, edition = [], [], None
    for path in sorted(folder.glob("*.txt")):
        try:
            labels, classes = _load_track(path)
            if edition is not None and labels != edition:
                raise AnnotationError(path, f"has {len(labels)} classes where others have {len(edition)}", line=1)
        except AnnotationError as problem:
            on_problem(problem)
            continue
        tracks.append(path.stem)
        parts.append(classes)
        edition = labels
    if edition is None:
        raise AnnotationError(folder, "holds no annotation files (*.txt) that can be read")
    lengths = [len(part) for part in parts]
    track_index = np.repeat(np.arange(len(tracks), dtype=np.int32), lengths)
    frame = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
    has_image, n_crop_frames = match_crops(crops, tracks, track_index, frame)
    return FrameSamples(
        dataset=_NAME,
        split="train",
        tracks=tuple(tracks),
        track_index=track_index,
        frame=frame,
        expression=np.concatenate(parts),
        expression_labels=edition,
        crops=crops,
        has_image=has_image,
        n_crop_frames=n_crop_frames,
    )


def _load_track(path: Path) -> tuple[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.int8]]]:
    """The classes that the header promises and that of every frame."""
    document = load_document(path)
    labels = tuple(name.lower().replace("_", " ") for name in document.header())
    if labels not in (COMPOUND_EXPRESSIONS, (*COMPOUND_EXPRESSIONS, _OTHER)):
        names = ",".join(COMPOUND_EXPRESSIONS).replace(" ", "_")
        raise AnnotationError(path, f"the header is not {names!r}, with or without {_OTHER!r}", line=1)
    table = read_rows(document, [Field("expression")])
    return labels, table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8)
