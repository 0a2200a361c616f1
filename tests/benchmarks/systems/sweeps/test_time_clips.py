# SPDX-License-Identifier: Apache-2.0
"""Pieces of a clip are runs of one track without a loss, with the teacher's predictions of each frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.sweeps import time_clips
from benchmarks.systems.sweeps.time_clips import LONGEST, SHORTEST, SeenFace, clip_pieces, runs_of
from benchmarks.systems.sweeps.time_videos import SIZE_PX
from mien.core import EXPRESSIONS, Faces, Frame
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE

LOST = 130


def seen_faces(indices: list[int]) -> list[SeenFace]:
    nothing = np.zeros(2, np.float32)
    return [SeenFace(index, np.zeros((4, 4), np.uint8), 0, nothing, nothing) for index in indices]


def test_runs_end_at_a_loss_and_after_the_longest() -> None:
    frames = [*range(LONGEST + SHORTEST), *range(400, 400 + SHORTEST - 1), *range(900, 900 + LONGEST)]
    runs = runs_of(seen_faces(frames))
    assert [(run[0].index, len(run)) for run in runs] == [(0, LONGEST), (LONGEST, SHORTEST), (900, LONGEST)]
    assert runs_of([]) == []


class Teacher:
    """Follows two faces, and loses the second once."""

    def __init__(self, model: str) -> None:
        assert model == "mien-accurate"
        self.spec = self
        self.action_unit_thresholds = {"AU12": 0.3}

    def video(self, _path: Path, *, images: bool) -> Iterator[Frame]:
        assert images
        labels = tuple(reversed(EXPRESSIONS))
        for index in range(200):
            rows = [0] if index == LOST else [0, 1]
            points = 100 + 50 * np.array(FERPLUS_TEMPLATE) + 200 * np.array(rows)[:, None, None]
            yield Frame(
                index=index,
                time_s=index / 25,
                faces=Faces(
                    boxes=np.tile([0, 0, 9, 9], (len(rows), 1)),
                    track_ids=np.array([7, 3])[rows],
                    keypoints=points,
                    expression=np.eye(8)[[2 + row for row in rows]],
                    expression_labels=labels,
                    valence=np.array([0.5, -0.5])[rows],
                    arousal=np.full(len(rows), index / 200),
                    action_units=np.array([[0.4, 0.4], [0.2, 0.9]])[rows],
                    action_unit_labels=("AU12", "AU04"),
                ),
                image=np.full((500, 500, 3), index, np.uint8),
            )


def test_pieces_have_the_predictions_of_their_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_clips, "Analyzer", Teacher)
    (tmp_path / "video").mkdir()
    (tmp_path / "video/walk.mp4").touch()
    pieces = list(clip_pieces(tmp_path))
    assert [(piece.name, len(piece.frames)) for piece in pieces] == [("walk 3", 100), ("walk 3", 69)] + [
        ("walk 7", 100)
    ] * 2
    second, first = pieces[1], pieces[3]
    assert second.frames.shape == (69, SIZE_PX, SIZE_PX)
    assert (second.frames[:, 5, 5] == np.arange(LOST + 1, 200)).all()
    assert not second.lost.any()
    assert set(second.expression) == {EXPRESSIONS.index(tuple(reversed(EXPRESSIONS))[3])}
    assert second.affect[0] == pytest.approx([-0.5, (LOST + 1) / 200])
    units = dict(zip(AU_RULES, first.action_units[0], strict=True))
    assert (units["AU12"], units["AU04"], units["AU01"]) == (1, 0, 0)
    assert dict(zip(AU_RULES, second.action_units[0], strict=True))["AU04"] == 1
