# SPDX-License-Identifier: Apache-2.0
import cv2
import pytest

from mien.affect import opencv_on_one_thread


def test_an_error_inside_gives_the_threads_back() -> None:
    before = cv2.getNumThreads()
    seen = []

    def fail() -> None:
        with opencv_on_one_thread():
            seen.append(cv2.getNumThreads())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [1]
    assert cv2.getNumThreads() == before


@pytest.mark.usefixtures("three_threads")
def test_the_setting_of_others_comes_back_with_the_last() -> None:
    first, second = opencv_on_one_thread(), opencv_on_one_thread()
    first.__enter__()
    second.__enter__()
    assert cv2.getNumThreads() == 1
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == 1
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3
