# SPDX-License-Identifier: Apache-2.0
"""Folders of crops and of raw videos."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import AnnotationError, find_videos
from mien.datasets.crop_folders import CropFolders, crop_files, crops_at, find_crops, match_crops


def test_raw_videos_are_found_by_the_video_of_a_track(tmp_path: Path) -> None:
    (tmp_path / "batch1").mkdir()
    (tmp_path / "batch1/12-24-1920x1080.mp4").touch()
    (tmp_path / "batch1/notes.txt").touch()
    assert find_videos(tmp_path) == {"12-24-1920x1080": tmp_path / "batch1/12-24-1920x1080.mp4"}
    assert find_videos(tmp_path / "absent") == {}


def _crops(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def _found(folder: Path, name: str | None = None) -> list[str]:
    crops = find_crops(folder, name)
    return [] if crops is None else [path.relative_to(folder).as_posix() for path in crops.folders]


def test_the_aligned_crops_come_first(tmp_path: Path) -> None:
    assert find_crops(tmp_path, None) is None
    (tmp_path / "cropped").mkdir()
    assert _found(tmp_path) == ["cropped"]
    (tmp_path / "cropped_aligned").mkdir()
    assert _found(tmp_path) == ["cropped_aligned"]
    assert _found(tmp_path, "cropped") == ["cropped"]
    with pytest.raises(AnnotationError, match="no such folder of crops"):
        find_crops(tmp_path, "crops")


def test_an_empty_folder_does_not_hide_the_crops_of_the_other_kind(tmp_path: Path) -> None:
    (tmp_path / "cropped_aligned").mkdir()
    _crops(tmp_path, "cropped/a/00001.jpg")
    assert _found(tmp_path) == ["cropped"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Cropped_Aligned/a/00001.jpg"], ["Cropped_Aligned"]),
        (["cropped-aligned/a/00001.jpg"], ["cropped-aligned"]),
        (
            ["cropped_aligned/a/00001.jpg", "cropped_aligned_new_50_vids/b/00001.jpg", "cropped/a/00001.jpg"],
            ["cropped_aligned", "cropped_aligned_new_50_vids"],
        ),
        (["cropped_aligned/cropped_aligned/a/00001.jpg"], ["cropped_aligned/cropped_aligned"]),
        (["__MACOSX/cropped_aligned/a/._00001.jpg", "cropped/a/00001.jpg"], ["cropped"]),
        (["batch1/cropped_aligned/a/00001.jpg"], []),
    ],
)
def test_the_crops_are_found_in_any_spelling_and_in_all_their_archives(
    names: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert _found(_crops(tmp_path, *names)) == expected


def test_a_track_is_read_from_the_archive_that_holds_it(tmp_path: Path) -> None:
    crops = find_crops(_crops(tmp_path, "cropped/a/00001.jpg", "cropped_new_50_vids/b/00003.JPG"), None)
    assert crops is not None
    assert crops.tracks() == ["a", "b"]
    assert (crops.files("a"), crops.files("b"), crops.files("c")) == ([(1, "00001.jpg")], [(3, "00003.JPG")], [])
    (tmp_path / "cropped_new_50_vids/a").mkdir()
    assert crops.track_folder("a") == tmp_path / "cropped/a"
    _crops(tmp_path, "cropped_new_50_vids/a/00001.jpg")
    assert crops.track_folder("a") == tmp_path / "cropped/a"  # the same crops twice
    _crops(tmp_path, "cropped_new_50_vids/a/00002.jpg")
    with pytest.raises(AnnotationError, match="other crops of the track"):
        crops.track_folder("a")


def test_a_folder_that_a_user_names_may_be_of_the_data_set_of_crops_or_of_tracks(tmp_path: Path) -> None:
    _crops(tmp_path, "cropped_aligned/a/00001.jpg", "cropped_aligned_new_50_vids/b/00001.jpg", "mine/c/00001.jpg")
    both = ["cropped_aligned", "cropped_aligned_new_50_vids"]
    assert [path.name for path in crops_at(tmp_path).folders] == both
    assert [path.name for path in crops_at(tmp_path / "cropped_aligned").folders] == both
    assert [path.name for path in crops_at(tmp_path / "mine").folders] == ["mine"]
    with pytest.raises(AnnotationError, match="no such folder"):
        crops_at(tmp_path / "absent")


def test_the_first_of_two_videos_with_one_name_is_taken(tmp_path: Path) -> None:
    for name in ("b/clip.mp4", "a/clip.MKV", "a/clip.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_videos(str(tmp_path)) == {"clip": tmp_path / "a/clip.MKV"}


def test_crops_are_matched_by_track_and_frame(tmp_path: Path) -> None:
    _crops(tmp_path, "a/00002.jpg", "a/00009.jpeg", "b/00001.JPG", "b/notes.txt", "b/._00002.jpg", "d/3.png")
    index, frame = np.array([1, 0, 2, 0, 3]), np.array([1, 2, 1, 1, 3])
    has_image, last = match_crops(CropFolders((tmp_path,)), ("a", "b", "c", "d"), index, frame)
    assert has_image.tolist() == [True, True, False, False, True]
    assert last.tolist() == [9, 1, 0, 3]
    has_image, last = match_crops(None, ("a", "b", "c", "d"), index, frame)
    assert not has_image.any()
    assert not last.any()


def test_crop_files_are_sorted_by_number_and_not_by_name(tmp_path: Path) -> None:
    _crops(tmp_path, "100000.jpg", "99999.jpg")
    assert crop_files(tmp_path) == [(99_999, "99999.jpg"), (100_000, "100000.jpg")]
    assert crop_files(tmp_path / "99999.jpg") == []  # a file is not a folder of crops


@pytest.mark.parametrize(
    ("names", "words"),
    [(["00000.jpg", "00001.jpg"], "crop 0"), (["00001.jpg", "00001.png"], "second crop of frame 1")],
)
def test_crops_that_could_be_another_frame_are_refused(names: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=words):
        crop_files(_crops(tmp_path, *names))
