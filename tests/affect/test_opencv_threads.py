# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from mien.affect import Analyzer
from mien.affect.analyzer import opencv_on_one_thread
from mien.media import VideoFrame


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


def test_the_setting_of_others_comes_back_with_the_last() -> None:
    first, second = opencv_on_one_thread(), opencv_on_one_thread()
    first.__enter__()
    second.__enter__()
    assert cv2.getNumThreads() == 1
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == 1
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3


@pytest.mark.parametrize("live", [False, True])
def test_a_video_that_is_left_early_leaves_no_trace(live: bool) -> None:
    def frames() -> Iterator[VideoFrame]:
        for index in range(40):
            yield VideoFrame(index=index, time_s=index / 25, image=np.zeros((48, 64, 3), np.uint8))

    stream = Analyzer(threads=1).frames(frames(), live=live)
    next(stream)
    assert cv2.getNumThreads() == 1
    stream.close()
    assert cv2.getNumThreads() == 3
