# SPDX-License-Identifier: Apache-2.0
"""A morph ends at its two faces, and a video is of one person and the same every time."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.sweeps import time_videos
from benchmarks.systems.sweeps.time_videos import SIZE_PX, _drift, morph, person_videos
from mien.core import EXPRESSIONS
from mien.datasets import FERPLUS_TEMPLATE, FaceSamples, TeacherOutputs
from tests.helpers.open_face_sets import template_landmarks


def test_a_morph_ends_at_its_faces() -> None:
    rng = np.random.default_rng(0)
    crops = np.stack([cv2.GaussianBlur(rng.integers(0, 256, (64, 64), dtype=np.uint8), (0, 0), 3) for _ in range(2)])
    first = rng.uniform(10, 54, (68, 2))
    landmarks = np.stack([first, first + rng.normal(0, 2, (68, 2))])
    assert np.abs(morph(crops, landmarks, 0.0).astype(int) - crops[0]).max() <= 1
    assert np.abs(morph(crops, landmarks, 1.0).astype(int) - crops[1]).max() <= 1
    dot = np.zeros((2, 64, 64), np.uint8)
    dot[0, 30:34, 20:24] = dot[1, 30:34, 40:44] = 255
    moved = np.array([[[21.5, 31.5]], [[41.5, 31.5]]]) + np.zeros((2, 68, 2))
    half = morph(dot, moved, 0.5)
    assert half[28:36, 27:37].sum() > 0.9 * half.sum(), "the dot is half-way, not twice at half brightness"


def test_neighbouring_frames_err_alike() -> None:
    states = _drift(4000, np.random.default_rng(0))
    assert np.corrcoef(states[:-1].ravel(), states[1:].ravel())[0, 1] == pytest.approx(0.93, abs=0.02)
    assert states.std() == pytest.approx(1, abs=0.15)


def test_videos_of_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    names = [f"{who}_{number:04d}.jpg" for who in ("Ann", "Bob", "Cid") for number in range(3)]
    labels = [1, 0, 1, 3, 4, 4, 2, 2, 2]  # Cid has one expression alone
    images = [bytes(cv2.imencode(".png", rng.integers(0, 256, (80, 80), dtype=np.uint8))[1]) for _ in names]
    samples = FaceSamples(
        names=tuple(names),
        images=tuple(images),
        expression=np.eye(8, dtype=np.float32)[labels],
        valence_arousal=np.full((9, 2), np.nan, np.float32),
        action_units=np.tile(np.array([[0.9, np.nan]], np.float32), (9, 1)),
        action_unit_labels=("AU12", "AU25"),
        keypoints=np.tile(np.array(FERPLUS_TEMPLATE, np.float32), (9, 1, 1)),
    )
    teacher = TeacherOutputs(
        found=np.ones(9, bool),
        blendshapes=np.zeros((9, 52), np.float32),
        blendshape_names=("x",) * 52,
        landmarks=np.tile(template_landmarks().astype(np.float32), (9, 1, 1)),
    )
    monkeypatch.setattr(time_videos, "load_lfw", lambda _, split: samples.take(np.arange(9) % 2 == (split == "test")))
    monkeypatch.setattr(time_videos, "teacher_file", lambda *_: Path())
    monkeypatch.setattr(time_videos, "load_teacher", lambda *_: teacher)
    monkeypatch.setattr(time_videos, "affect_map", lambda _: lambda shares: shares[:, :2] * 2)
    first, again = ([*person_videos(tmp_path, 5, 250)] for _ in range(2))
    assert sorted(video.name for video in first) == ["ann", "bob"]
    for video, copy in zip(first, again, strict=True):
        assert np.array_equal(video.frames, copy.frames)
        assert video.frames.shape == (250, SIZE_PX, SIZE_PX)
        assert not video.lost[0]
        own = {"ann": {0, 1}, "bob": {3, 4}}[video.name]
        assert set(video.expression.tolist()) == own, [EXPRESSIONS[number] for number in own]
        assert np.abs(video.affect).max() <= 1
        assert np.isnan(video.action_units[:, 1]).all()
        assert (video.action_units[:, 0] == 1).all()
