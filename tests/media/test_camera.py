# SPDX-License-Identifier: Apache-2.0
"""Frames of a fake camera, and cameras that fail."""

from itertools import count

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import InputError
from mien.media import FrameSource, open_camera


class FakeCapture:
    """A camera that shows the given pictures (None: a failed read) and is then unplugged."""

    def __init__(self, pictures: list[int | None], *, opened: bool = True) -> None:
        self._pictures = iter(pictures)
        self._opened = opened
        self.n_released = 0

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return self._opened

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        value = next(self._pictures, None)
        if value is None:
            return False, None
        return True, np.full((6, 8, 3), (value, 0, 255), np.uint8)  # blue first

    def get(self, _prop: int, /) -> float:
        return 0.0

    def release(self) -> None:
        self.n_released += 1


def test_pictures_come_as_rgb_with_the_times_of_their_arrival() -> None:
    capture = FakeCapture([10, 20, 30])
    clock = iter([5.0, 5.1, 5.5])
    with open_camera(0, connect=lambda _: capture, clock=lambda: next(clock)) as camera:
        source: FrameSource = camera
        frames = list(source)
        assert (camera.info.width, camera.info.height) == (8, 6)
        assert camera.info.name == "camera 0"
        assert camera.info.path is None
        assert camera.info.average_fps is None
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.5])
    assert [frame.image[0, 0].tolist() for frame in frames] == [[255, 0, 10], [255, 0, 20], [255, 0, 30]]
    assert capture.n_released == 1


def test_times_rise_though_the_clock_stands() -> None:
    with open_camera(0, connect=lambda _: FakeCapture([1, 2, 3]), clock=lambda: 7.0) as camera:
        times = [frame.time_s for frame in camera]
    assert times[0] < times[1] < times[2]


def test_a_failed_read_leaves_its_number_free_and_an_unplugged_camera_ends() -> None:
    seconds = count()
    with open_camera(1, connect=lambda _: FakeCapture([1, None, 3]), clock=lambda: float(next(seconds))) as camera:
        assert [frame.index for frame in camera] == [0, 2]
        assert camera.report.n_decoded == 2
        assert camera.report.n_lost == 31
        assert "camera 1" in camera.report.messages[0]
        assert "unplugged" in camera.report.messages[0]


def test_closing_ends_the_iteration() -> None:
    capture = FakeCapture([1] * 100)
    with open_camera(0, connect=lambda _: capture) as camera:
        for frame in camera:
            if frame.index == 2:
                camera.close()
    assert camera.report.n_decoded == 3
    assert capture.n_released == 1


@pytest.mark.parametrize(
    ("index", "capture", "message"),
    [
        (7, FakeCapture([], opened=False), "camera 7: cannot be opened; check"),
        (0, FakeCapture([]), "camera 0: opens but gives no image"),
    ],
)
def test_a_camera_without_pictures_is_an_error(index: int, capture: FakeCapture, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_camera(index, connect=lambda _: capture)
    assert capture.n_released == 1


def test_negative_numbers_are_no_cameras() -> None:
    with pytest.raises(InputError, match="numbered from 0"):
        open_camera(-1, connect=lambda _: FakeCapture([1]))
