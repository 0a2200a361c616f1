# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import VideoOptions
from mien.media import VideoFrame, VideoInfo
from mien.pipeline.media_run import n_frames_expected, wanted_frames


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
