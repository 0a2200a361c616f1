# SPDX-License-Identifier: Apache-2.0
import numpy as np

from mien.core import Faces
from mien.media import RecentHeads


def faces(**boxes: float) -> Faces:
    """One face for each ``t3=10.0``: track 3, its left edge at 10."""
    return Faces(
        boxes=np.array([[x, 0, x + 5, 5] for x in boxes.values()], np.float32).reshape(-1, 4),
        track_ids=[int(name[1:]) for name in boxes],
    )


def test_a_lost_face_stays_hidden_for_a_second_and_no_longer() -> None:
    heads = RecentHeads()
    assert heads.update(faces(t0=1, t1=50), 0.0).boxes[:, 0].tolist() == [1, 50]
    assert heads.update(faces(t0=2), 0.04).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(faces(), 0.96).boxes[:, 0].tolist() == [2, 50]
    assert heads.update(faces(t0=3), 1.0).boxes[:, 0].tolist() == [3]
    assert len(heads.update(faces(), 9.0)) == 0


def test_faces_without_a_track_are_hidden_where_they_are() -> None:
    heads = RecentHeads()
    both = Faces(boxes=np.float32([[0, 0, 5, 5], [9, 0, 14, 5]]), track_ids=[-1, -1])
    assert len(heads.update(both, 0.0)) == 2
    assert len(heads.update(Faces.empty(), 0.1)) == 0
