# SPDX-License-Identifier: Apache-2.0
"""Pieces of real clips, each frame with what a stronger bundle predicts for it alone: a teacher in place of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.systems.sweeps.time_videos import SIZE_PX, PersonVideo
from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Faces, Float32, Image, columns_by_name
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE
from mien.faces import similarity_transform, warp_face

TEACHER = "mien-accurate"
LONGEST, SHORTEST = 100, 50
"""Frames of a piece: runs of a track without a loss are cut after so many, and shorter rests are left out."""


@dataclass(frozen=True, eq=False)
class SeenFace:
    """A face in a frame: its crop and the teacher's predictions."""

    index: int
    crop: Image
    expression: int
    affect: Float32
    action_units: Float32


def clip_pieces(data: Path) -> Iterator[PersonVideo]:
    """Yield the pieces of all clips in ``video/``.

    Args:
        data: folder of the open face sets.
    """
    teacher = Analyzer(model=TEACHER)
    for path in sorted((data / "video").iterdir()):
        tracks: dict[int, list[SeenFace]] = defaultdict(list)
        for frame in teacher.video(path, images=True):
            if frame.image is not None and len(frame.faces):
                grey = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
                for track, seen in _seen(frame.index, frame.faces, grey, teacher.spec.action_unit_thresholds).items():
                    tracks[track].append(seen)
        for track in sorted(tracks):
            for run in runs_of(tracks[track]):
                yield _piece(f"{path.stem} {track}", run)


def _seen(index: int, faces: Faces, grey: Image, thresholds: Mapping[str, float]) -> dict[int, SeenFace]:
    matrices = similarity_transform(faces.keypoints.astype(np.float64), np.array(FERPLUS_TEMPLATE) * SIZE_PX)
    expressions = faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)].argmax(axis=1)
    present = [
        np.array([unit in units for unit in AU_RULES], np.float32) for units in faces.present_action_units(thresholds)
    ]
    return {
        int(track): SeenFace(
            index,
            warp_face(grey, matrices[row], SIZE_PX),
            int(expressions[row]),
            np.array([faces.valence[row], faces.arousal[row]], np.float32),
            present[row],
        )
        for row, track in enumerate(faces.track_ids)
    }


def runs_of(seen: Sequence[SeenFace]) -> list[Sequence[SeenFace]]:
    """Consecutive frames of a track, cut after `LONGEST`; those with fewer than `SHORTEST` are left out."""
    breaks = [0, *(row for row in range(1, len(seen)) if seen[row].index != seen[row - 1].index + 1), len(seen)]
    runs = [seen[start:end] for start, end in pairwise(breaks)]
    pieces = [run[start : start + LONGEST] for run in runs for start in range(0, len(run), LONGEST)]
    return [piece for piece in pieces if len(piece) >= SHORTEST]


def _piece(name: str, run: Sequence[SeenFace]) -> PersonVideo:
    return PersonVideo(
        name=name,
        frames=np.stack([seen.crop for seen in run]),
        lost=np.zeros(len(run), dtype=bool),
        expression=np.array([seen.expression for seen in run], dtype=np.intp),
        affect=np.stack([seen.affect for seen in run]),
        action_units=np.stack([seen.action_units for seen in run]),
    )
