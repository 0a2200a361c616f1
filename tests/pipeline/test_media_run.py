# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.core import VideoOptions
from mien.media import VideoFrame, VideoInfo
from mien.pipeline import analyze
from mien.pipeline.media_run import n_frames_expected, wanted_frames
from mien.results import read_table
from tests.helpers.face_clips import manifest, write_clip, write_photo


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (VideoOptions(), 250),
        (VideoOptions(every=10), 25),
        (VideoOptions(start_s=4), 150),
        (VideoOptions(start_s=4, stop_s=6), 50),
        (VideoOptions(stop_s=100), 250),
        (VideoOptions(start_s=20), 0),
    ],
)
def test_the_number_of_frames_to_expect(options: VideoOptions, expected: int) -> None:
    info = VideoInfo(path=None, name="clip", width=1, height=1, codec="h264", average_fps=25, duration_s=10)
    assert n_frames_expected(options, info) == expected


def test_nothing_is_expected_of_a_source_without_end() -> None:
    info = VideoInfo(path=None, name="camera 0", width=1, height=1, codec="camera", average_fps=25)
    assert n_frames_expected(VideoOptions(), info) is None


def test_a_live_range_ends_the_source() -> None:
    image = np.zeros((1, 1, 3), np.uint8)
    taken = []

    def camera():
        for index in range(1000):
            taken.append(index)
            yield VideoFrame(index=index, time_s=index / 10, image=image)

    chosen = [frame.index for frame in wanted_frames(camera(), VideoOptions(every=2, start_s=0.5, stop_s=1.0))]
    assert chosen == [6, 8]
    assert taken[-1] == 10


def test_the_start_of_a_late_video_is_in_the_manifest_and_said(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), 128, np.uint8)
    late = write_clip(tmp_path / "late.mkv", pixels, 3, first=125)
    usual = write_clip(tmp_path / "usual.mp4", pixels, 3)
    photo = write_photo(tmp_path / "photo.png", pixels)
    records = {}
    for path in (late, usual, photo):
        table = tmp_path / f"{path.stem}.csv"
        records[path] = analyze(path, table, landmark_model=None, threads=1).inputs[0]
        assert manifest(table)["inputs"][0]["start_offset_s"] == records[path].start_offset_s
        assert set(read_table(table)["stream_offset_s"].to_pylist()) == {records[path].start_offset_s}
        names = table.read_text().splitlines()[0].split(",")
        assert names.index("stream_offset_s") > names.index("face"), "new columns come last"
    assert [record.start_offset_s for record in records.values()] == [5.0, 0.0, None]
    assert records[late].messages == (
        "second 0 of its rows is 5.000 s on the clock of the file, by which its sound goes",
    )
    assert records[usual].messages == ()
