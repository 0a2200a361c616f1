# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from mien.faces import CutDetector
from mien.faces.scene_changes import same_scene, thumbnail_of

Image = npt.NDArray[np.uint8]


def cuts_in(frames: list[Image]) -> list[int]:
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector.update(frame)]


def place(seed: int) -> Image:
    """A picture of large blocks, which has the structure that another one lacks."""
    tiles = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return tiles.repeat(30, axis=0).repeat(30, axis=1)


def test_cut_between_two_places() -> None:
    assert cuts_in([place(0)] * 3 + [place(1)] * 3 + [place(2)]) == [3, 6]


def test_first_frame_is_no_cut() -> None:
    assert cuts_in([place(0)]) == []


def test_flash_and_fade_are_no_cuts(astronaut: Image) -> None:
    dark, bright = astronaut // 3, 255 - (255 - astronaut) // 3
    assert cuts_in([astronaut, bright, astronaut, dark, astronaut]) == []


def test_flat_frames_are_no_cuts() -> None:
    noise = np.random.default_rng(0).integers(0, 4, (5, 90, 120, 3), np.uint8)
    assert cuts_in(list(noise)) == []
    assert cuts_in([np.full((9, 9, 3), value, np.uint8) for value in (0, 128, 128)]) == [1]


def test_pan_is_no_cut(astronaut: Image) -> None:
    assert cuts_in([astronaut[:300, x : x + 300] for x in range(0, 200, 10)]) == []


def test_other_person_in_the_same_studio_is_a_cut(astronaut: Image) -> None:
    other = astronaut.copy()
    other[40:360, 100:400] = np.roll(astronaut[40:360, 100:400], 130, axis=1)[::-1]
    assert cuts_in([astronaut] * 3 + [other] * 3) == [3]


def test_size_does_not_matter(astronaut: Image) -> None:
    assert cuts_in([astronaut, astronaut[::2, ::2], astronaut[:, ::4]]) == []
    assert cuts_in([np.zeros((1, 1, 3), np.uint8)] * 2) == []


@pytest.mark.parametrize(
    ("clip", "expected"),
    [("several_faces.mp4", [20, 82, 211]), ("cry_to_laugh.mp4", []), ("single_face.mp4", []), ("no_face.mp4", [])],
)
def test_clips(shared_data: Path, clip: str, expected: list[int]) -> None:
    with av.open(str(shared_data / "video" / clip)) as container:
        assert cuts_in([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]) == expected


def test_a_scene_in_another_light_is_the_same(astronaut: Image) -> None:
    here = thumbnail_of(astronaut)
    assert same_scene(here, here)
    assert same_scene(here, np.minimum(here * 1.4 + 20, 255).astype(np.float32))
    assert same_scene(np.zeros_like(here), np.ones_like(here))
    for other in (np.full_like(here, 255), np.zeros_like(here), thumbnail_of(astronaut[:, ::-1])):
        assert not same_scene(here, other)
