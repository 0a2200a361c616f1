# SPDX-License-Identifier: Apache-2.0
"""Clips move steadily from expression to expression, and their labels with them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.metrics import rank_correlation
from mien.results import read_table
from mien.synthesis import Identity, SynthesisRecipe, clip_frames, load_synthesis_recipe, read_labels, synthesize
from mien.synthesis.synthetic_faces import SyntheticFace

pytestmark = pytest.mark.usefixtures("renderer_installed")


@pytest.fixture
def clip(tiny_recipe: SynthesisRecipe) -> list[tuple[float, SyntheticFace]]:
    options = replace(tiny_recipe.clips, duration_s=2.0, fps=12.0, expressions=3)
    return list(clip_frames(Identity(replace(tiny_recipe, seed=21, clips=options), 0)))


def test_frames_have_their_times_and_one_person(clip: list[tuple[float, SyntheticFace]]) -> None:
    assert np.allclose([time_s for time_s, _ in clip], np.arange(24) / 12)
    assert len({face.name for _, face in clip}) == 24
    assert len({face.person.age_years for _, face in clip}) == 1
    assert len({face.scene.camera for _, face in clip}) == 1


def test_intensities_and_pose_change_in_small_steps(clip: list[tuple[float, SyntheticFace]]) -> None:
    units = ("AU01", "AU04", "AU06", "AU09", "AU10", "AU12", "AU15", "AU17", "AU20", "AU26")
    intensity = np.array([[face.intensity(unit) for unit in units] for _, face in clip])
    assert intensity[0].max() == 0  # the first expression is neutral
    assert intensity.max() > 0.2
    assert np.abs(np.diff(intensity, axis=0)).max() < 0.5
    pose = np.array([face.scene.pose_rad for _, face in clip])
    assert np.abs(np.diff(pose, axis=0)).max() < 0.1
    landmarks = np.array([face.truth.landmarks for _, face in clip])
    assert np.abs(np.diff(landmarks[:, 27:31], axis=0)).max() < 4


def test_the_same_clip_again_has_the_same_bytes(
    clip: list[tuple[float, SyntheticFace]], tiny_recipe: SynthesisRecipe
) -> None:
    options = replace(tiny_recipe.clips, duration_s=2.0, fps=12.0, expressions=3)
    again = list(clip_frames(Identity(replace(tiny_recipe, seed=21, clips=options), 0)))
    assert all((a.image == b.image).all() for (_, a), (_, b) in zip(clip, again, strict=True))
    assert (clip[0][1].image != clip[1][1].image).any()


def test_blinks_close_both_eyes(tiny_recipe: SynthesisRecipe) -> None:
    options = replace(tiny_recipe.clips, duration_s=6.0, fps=20.0, expressions=2)
    neutral = replace(tiny_recipe.expressions, neutral=1.0, basic=0, compound=0, units=0, speech=0, blink_share=0.0)
    quick = replace(tiny_recipe, size_px=32, clips=options, expressions=neutral)
    closed = [max(min(face.closed) for _, face in clip_frames(Identity(quick, number))) for number in range(3)]
    assert max(closed) > 0.6


_SMILE = """
name = "smile"
seed = 3
size_px = 160

[expressions]
neutral = 0.0
basic = 1.0
compound = 0.0
units = 0.0
speech = 0.0
only = ["happiness"]
strength = [0.9, 1.0]
blink_share = 0.0
gaze_share = 0.0

[pose]
yaw_deg = 4
pitch_deg = 2
roll_deg = 2
wide_share = 0.0

[occlusion]
glasses = 0.0
sunglasses = 0.0
face_mask = 0.0
hand = 0.0

[degradation]
low_resolution_share = 0.0
blur_share = 0.0

[clips]
duration_s = 2.0
fps = 10.0
expressions = 2
"""


def test_an_analysis_of_a_clip_follows_its_truth(tmp_path: Path) -> None:
    (tmp_path / "smile.toml").write_text(_SMILE)
    folder = tmp_path / "set"
    synthesize(load_synthesis_recipe(tmp_path / "smile.toml"), folder, n=2, form="clips")
    truth = read_labels(folder, ["image", "frame", "time_s", "AU12"])
    images = np.array(truth["image"].to_pylist())
    clips = sorted((folder / "clips").glob("*.mp4"))
    assert [f"clips/{clip.name}" for clip in clips] == sorted(set(images))
    mien.analyze(folder / "clips", out=tmp_path / "results")
    for clip in clips:
        wanted = truth.filter(images == f"clips/{clip.name}")
        found = read_table(tmp_path / "results" / f"{clip.stem}.parquet")
        assert found["frame"].to_pylist() == wanted["frame"].to_pylist() == list(range(20))
        assert np.allclose(found["time_s"].to_numpy(), wanted["time_s"].to_numpy(), atol=2e-3)
        smile, intensity = found["AU12"].to_numpy(), wanted["AU12"].to_numpy()
        assert intensity[0] == 0 < 0.5 < intensity[-1]
        assert smile[-1] > smile[0] + 0.3
        assert rank_correlation(smile, intensity) > 0.8
