# SPDX-License-Identifier: Apache-2.0
"""Folders of crops and of raw videos."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import AnnotationError, find_videos
from mien.datasets.crop_folders import crop_files, find_crops, match_crops


def test_raw_videos_are_found_by_the_video_of_a_track(tmp_path: Path) -> None:
    (tmp_path / "batch1").mkdir()
    (tmp_path / "batch1/12-24-1920x1080.mp4").touch()
    (tmp_path / "batch1/notes.txt").touch()
    assert find_videos(tmp_path) == {"12-24-1920x1080": tmp_path / "batch1/12-24-1920x1080.mp4"}
    assert find_videos(tmp_path / "absent") == {}


def test_the_aligned_crops_come_first(tmp_path: Path) -> None:
    assert find_crops(tmp_path, None) is None
    (tmp_path / "cropped").mkdir()
    assert find_crops(tmp_path, None) == tmp_path / "cropped"
    (tmp_path / "cropped_aligned").mkdir()
    assert find_crops(tmp_path, None) == tmp_path / "cropped_aligned"
    assert find_crops(tmp_path, "cropped") == tmp_path / "cropped"
    with pytest.raises(AnnotationError, match="no such folder of crops"):
        find_crops(tmp_path, "crops")


def test_the_first_of_two_videos_with_one_name_is_taken(tmp_path: Path) -> None:
    for name in ("b/clip.mp4", "a/clip.MKV", "a/clip.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_videos(str(tmp_path)) == {"clip": tmp_path / "a/clip.MKV"}


def test_crops_are_matched_by_track_and_frame(tmp_path: Path) -> None:
    for name in ("a/00002.jpg", "a/00009.jpeg", "b/00001.jpg", "b/notes.txt", "b/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    index, frame = np.array([1, 0, 2, 0]), np.array([1, 2, 1, 1])
    has_image, last = match_crops(tmp_path, ("a", "b", "c"), index, frame)
    assert has_image.tolist() == [True, True, False, False]
    assert last.tolist() == [9, 1, 0]
    has_image, last = match_crops(None, ("a", "b", "c"), index, frame)
    assert not has_image.any()
    assert not last.any()


def test_crop_files_are_sorted_by_number_and_not_by_name(tmp_path: Path) -> None:
    for name in ("100000.jpg", "99999.jpg"):
        (tmp_path / name).touch()
    assert crop_files(tmp_path) == [(99_999, "99999.jpg"), (100_000, "100000.jpg")]
    assert crop_files(tmp_path / "99999.jpg") == []  # a file is not a folder of crops
