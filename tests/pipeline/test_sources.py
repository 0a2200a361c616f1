# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError
from mien.media import VideoFrame, VideoInfo
from mien.pipeline.media_run import Selection


@pytest.mark.parametrize(
    ("start_s", "stop_s"), [(-1, None), (5, 3), (5, 5), (float("nan"), None), (None, float("nan")), (None, 0)]
)
def test_ranges_without_content_are_refused(start_s: float | None, stop_s: float | None) -> None:
    with pytest.raises(ConfigError, match=r"the range from .* is empty or starts before 0 s"):
        Selection(start_s=start_s, stop_s=stop_s)


def test_every_counts_from_one() -> None:
    with pytest.raises(ConfigError, match="every must be at least 1, got 0"):
        Selection(every=0)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), 250),
        (Selection(every=10), 25),
        (Selection(start_s=4), 150),
        (Selection(start_s=4, stop_s=6), 50),
        (Selection(stop_s=100), 250),
        (Selection(start_s=20), 0),
    ],
)
def test_the_number_of_frames_to_expect(selection: Selection, expected: int) -> None:
    info = VideoInfo(path=None, name="clip", width=1, height=1, codec="h264", average_fps=25, duration_s=10)
    assert selection.n_expected(info) == expected


def test_nothing_is_expected_of_a_source_without_end() -> None:
    info = VideoInfo(path=None, name="camera 0", width=1, height=1, codec="camera", average_fps=25)
    assert Selection().n_expected(info) is None


def test_a_live_range_ends_the_source() -> None:
    image = np.zeros((1, 1, 3), np.uint8)
    taken = []

    def camera():
        for index in range(1000):
            taken.append(index)
            yield VideoFrame(index=index, time_s=index / 10, image=image)

    chosen = [frame.index for frame in Selection(every=2, start_s=0.5, stop_s=1.0).live(camera())]
    assert chosen == [6, 8]
    assert taken[-1] == 10
