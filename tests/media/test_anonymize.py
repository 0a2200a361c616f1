# SPDX-License-Identifier: Apache-2.0
"""Anonymised heads."""

import numpy as np
import numpy.typing as npt

from mien.core import Faces
from mien.media import RecentHeads, anonymize_faces

Pixels = npt.NDArray[np.uint8]
_BOX = (175, 60, 275, 180)


def faces(box: tuple[float, float, float, float]) -> Faces:
    return Faces(boxes=np.float32([box]))


def changed(before: Pixels, after: Pixels) -> npt.NDArray[np.bool_]:
    return (before != after).any(axis=2)


def test_an_anonymous_head_has_no_detail_left(astronaut: Pixels) -> None:
    result = anonymize_faces(astronaut, faces(_BOX))
    head = result[60:180, 175:275]
    assert len(np.unique(head.reshape(-1, 3), axis=0)) <= 30
    # Fine structure (eyes, mouth) is gone: what is left changes only at the borders of a few large cells.
    flat = (np.abs(np.diff(head.astype(int), axis=1)).sum(axis=2) == 0).mean()
    assert flat > 0.95
    # It reaches beyond the box to hair, ears and chin, and leaves the rest alone.
    touched = changed(astronaut, result)
    assert touched[20:60, 175:275].mean() > 0.9
    assert touched[182:200, 175:275].mean() > 0.9
    assert not touched[260:].any()
    assert not touched[:, 320:].any()


def test_anonymous_cells_hold_coarse_colours_only() -> None:
    # One grey level more or less in the source, as noise over the frames of a video, shows in no cell.
    image = np.full((200, 200, 3), 110, np.uint8)
    image[90:100, 90:110] += 3
    assert len(np.unique(anonymize_faces(image, faces((50, 50, 150, 150)))[60:140, 60:140])) == 1


def tracked_faces(**boxes: float) -> Faces:
    """One face per argument: ``t3=10.0`` is a face of track 3 with its left edge at 10."""
    return Faces(
        boxes=np.array([[x, 0, x + 5, 5] for x in boxes.values()], np.float32).reshape(-1, 4),
        track_ids=[int(name[1:]) for name in boxes],
    )


def test_a_lost_face_stays_hidden_for_a_second_and_no_longer() -> None:
    heads = RecentHeads()
    assert heads.update(tracked_faces(t0=1, t1=50), 0.0).boxes[:, 0].tolist() == [1, 50]
    assert heads.update(tracked_faces(t0=2), 0.04).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(tracked_faces(), 0.96).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(tracked_faces(t0=3), 1.0).boxes[:, 0].tolist() == [3]
    assert len(heads.update(tracked_faces(), 9.0)) == 0


def test_faces_without_a_track_are_hidden_where_they_are() -> None:
    heads = RecentHeads()
    both = Faces(boxes=np.float32([[0, 0, 5, 5], [9, 0, 14, 5]]), track_ids=[-1, -1])
    assert len(heads.update(both, 0.0)) == 2
    assert len(heads.update(Faces.empty(), 0.1)) == 0
