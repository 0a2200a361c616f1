# SPDX-License-Identifier: Apache-2.0
"""Conversion of decoded frames to upright RGB and grayscale images of one size."""

import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from fractions import Fraction

import av
import numpy as np
import pytest

from mien.core import InputError
from mien.media import VideoFrame, open_video
from mien.media.frames import FrameConverter, LazyFrame
from mien.media.images import upright
from mien.media.timeline import Place
from tests.helpers.media_clips import SIZE, Clip, assert_valid_frames, numbered_picture, read_clip

# EXIF orientation -> display matrix (a, b, c, d) that asks for the same.
_MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_and_mirroring_are_applied(make_clip: Clip, orientation: int) -> None:
    path = make_clip(pictures=[numbered_picture(9)] * 3)
    plain = read_clip(path)[1][0].image
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in _MATRICES[orientation])
    assert struct.unpack_from(">9i", data, matrix) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, matrix, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    video, frames = read_clip(path)
    assert (frames[0].image == upright(plain, orientation)).all()
    assert (video.info.height, video.info.width) == frames[0].image.shape[:2]
    assert_valid_frames(video, frames)
    assert video.info.rotation_deg == {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)


def test_gray_is_the_stored_luma_stretched_to_full_range(make_clip: Clip) -> None:
    ramp = np.repeat(np.tile(np.arange(0, 256, 2, np.uint8), (64, 1))[..., None], 3, axis=2)
    for name, codec, pix_fmt in (("video.mp4", "libx264", "yuv420p"), ("full.avi", "mjpeg", "yuvj420p")):
        _, frames = read_clip(make_clip(name, codec=codec, pix_fmt=pix_fmt, pictures=[ramp] * 3, options={"crf": "1"}))
        for frame in frames:
            assert np.abs(frame.gray.astype(int) - ramp[..., 0]).max() <= 8, name
            assert (frame.gray[:, 0] <= 2).all(), name
            assert (frame.gray[:, -1] >= 250).all(), name


def test_pixels_are_converted_once_and_outlive_the_reader(make_clip: Clip) -> None:
    path = make_clip()
    eager = [(frame.image, frame.gray) for frame in open_video(path)]
    _, frames = read_clip(path)
    for frame, (image, gray) in zip(frames, eager, strict=True):
        assert np.array_equal(frame.gray, gray)
        assert np.array_equal(frame.image, image)
        assert frame.image is frame.image
        assert frame.gray is frame.gray


def test_pixels_may_be_accessed_in_several_threads(make_clip: Clip) -> None:
    path = make_clip(size=(320, 240))
    expected = [frame.image for frame in read_clip(path)[1]]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda frame: frame.image, read_clip(path)[1]))
    assert all(np.array_equal(one, other) for one, other in zip(images, expected, strict=True))


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(2), (320, 120)), (Fraction(4, 3), (213, 120)), (Fraction(1, 2), (160, 240)), (Fraction(50), SIZE)],
)
def test_pixels_become_square(make_clip: Clip, aspect: Fraction, size: tuple[int, int]) -> None:
    video, frames = read_clip(make_clip(pixel_aspect=aspect))
    assert (video.info.width, video.info.height) == size
    assert_valid_frames(video, frames)


def test_interlaced_frames_lose_their_combs(make_clip: Clip) -> None:
    combs = np.zeros((120, 160, 3), np.uint8)
    combs[::2] = 200
    options = {"x264-params": "interlaced=1:tff=1", "crf": "5"}
    video, frames = read_clip(make_clip("fields.ts", pictures=[combs] * 20, options=options))
    assert [frame.index for frame in frames] == list(range(20))
    assert all(frame.image.min() > 150 for frame in frames)
    assert video.report.n_lost == 0


def test_a_change_of_size_is_fitted_to_the_first(make_clip: Clip) -> None:
    small = make_clip("small.h264", pictures=[np.full((48, 64, 3), 200, np.uint8)] * 5)
    tall = make_clip("tall.h264", pictures=[np.full((96, 64, 3), 100, np.uint8)] * 5)
    joined = small.with_name("joined.h264")
    joined.write_bytes(small.read_bytes() + tall.read_bytes())
    video, frames = read_clip(joined)
    assert len(frames) == 10
    assert_valid_frames(video, frames)
    assert frames[-1].image[24, 32, 0] == pytest.approx(100, abs=4)
    assert frames[-1].image[24, 2, 0] == 0  # bars beside the narrower image
    assert any("size changes to 64 x 96" in message for message in video.report.messages)


def test_a_lazy_frame_converts_on_access_and_looks_like_any_frame() -> None:
    calls: list[str] = []

    def make_image() -> np.ndarray:
        calls.append("image")
        return np.full((2, 3, 3), 10, np.uint8)

    def make_gray() -> np.ndarray:
        calls.append("gray")
        return np.full((2, 3), 20, np.uint8)

    frame = LazyFrame(Place(index=4, time_s=0.16), make_image, make_gray)
    assert isinstance(frame, VideoFrame)
    assert (frame.index, frame.time_s, calls) == (4, 0.16, [])
    assert frame.gray[0, 0] == 20
    assert calls == ["gray"]
    assert frame.image is frame.image
    assert calls == ["gray", "image"]
    with pytest.raises(FrozenInstanceError):
        frame.index = 5  # type: ignore[misc]


def test_without_a_stored_luma_gray_comes_from_the_colours() -> None:
    frame = LazyFrame(Place(0, 0.0), lambda: np.full((2, 3, 3), (0, 255, 0), np.uint8), None)
    assert frame.gray.tolist() == [[150, 150, 150], [150, 150, 150]]


def test_stretched_frames_that_become_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.frames.MAX_PIXELS", 10_000)
    frame = av.VideoFrame(100, 100, "yuv420p")
    assert FrameConverter(frame, None, "clip.mp4").width == 100
    with pytest.raises(InputError, match=r"clip\.mp4: frames of 200 x 100 are more than 0 megapixels"):
        FrameConverter(frame, Fraction(2), "clip.mp4")
