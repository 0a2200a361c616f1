# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, Faces, Frame, FrameGap, OutputError
from mien.media import VideoInfo, find_inputs, open_video
from mien.pipeline.overlay import Drawing
from tests.helpers.face_clips import times_of


def drawn(path: Path, times_s: list[float], size: tuple[int, int] = (64, 48)) -> list[float]:
    width, height = size
    info = VideoInfo(path=None, name="x", width=width, height=height, codec="h264", average_fps=25)
    image = np.full((height, width, 3), 90, np.uint8)
    with Drawing(path=path, anonymous=False).open(info, 1, {}) as overlay:
        for index, time_s in enumerate(times_s):
            overlay.write(Frame(index=index, time_s=time_s, faces=Faces.empty(), image=image))
    return times_of(path)


def test_a_part_of_a_video_begins_at_once_and_keeps_its_pauses(tmp_path: Path) -> None:
    assert drawn(tmp_path / "overlay.mp4", [60.0, 60.1, 60.5]) == pytest.approx([0.0, 0.1, 0.5], abs=1e-3)


def test_lost_frames_are_blank_from_their_time_on(tmp_path: Path) -> None:
    info = VideoInfo(path=None, name="x", width=64, height=48, codec="h264", average_fps=25)
    image = np.full((48, 64, 3), 200, np.uint8)
    gaps = [FrameGap(0.1, 0.5, 10), FrameGap(0.6, 1.0, 10)]
    path = tmp_path / "overlay.mp4"
    with Drawing(path=path, anonymous=False).open(info, 1, {}) as overlay:
        for index, time_s in ((0, 0.0), (1, 0.06), (12, 0.5), (13, 0.56)):
            overlay.show_gaps(gaps, time_s)
            overlay.write(Frame(index=index, time_s=time_s, faces=Faces.empty(), image=image))
        overlay.show_gaps(gaps, float("inf"))
    with open_video(path) as video:
        frames = [(round(frame.time_s, 2), frame.image[:10].mean() > 150) for frame in video]
    assert frames == [
        *((0.0, True), (0.06, True), (0.1, False), (0.5, True), (0.56, True)),
        *((0.6, False), (1.0, False)),
    ]


def test_odd_sizes_and_missing_folders(tmp_path: Path) -> None:
    assert len(drawn(tmp_path / "new" / "folder" / "overlay.mkv", [0.0, 0.04], (63, 47))) == 2


def test_the_ending_must_fit_the_input(photo: Path, clip: Path) -> None:
    image, video = find_inputs([photo, clip])
    with pytest.raises(ConfigError, match=r"o\.mp4: the overlay of an image is an image; name it one of .*\.png"):
        Drawing(path=photo.with_name("o.mp4"), anonymous=False).check(image)
    with pytest.raises(ConfigError, match=r"o\.png: the overlay of a video is a video; name it one of .*\.mp4"):
        Drawing(path=photo.with_name("o.png"), anonymous=False).check(video)


def test_the_input_is_never_replaced(clip: Path) -> None:
    (video,) = find_inputs([clip])
    link = clip.with_name("link.mp4")
    link.symlink_to(clip)
    for path in (clip, link, clip.parent / ".." / clip.parent.name / clip.name):
        with pytest.raises(ConfigError, match="the overlay would replace the input"):
            Drawing(path=path, anonymous=False).check(video)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"overlay\.mp4: cannot be written"):
        drawn(tmp_path / "file" / "overlay.mp4", [0.0])
