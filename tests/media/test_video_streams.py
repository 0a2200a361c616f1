# SPDX-License-Identifier: Apache-2.0
"""Files with several streams: sound before the video, cover pictures, and metadata of frames."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from mien.core import InputError
from mien.media import open_video
from tests.helpers.media_clips import SIZE, numbered_picture, read_clip, read_number

_N_FRAMES = 20
_ATTACHED_PICTURE = 0x400


def _write(path: Path, kinds: str, codec: str = "libx264") -> Path:
    """A file with the streams of ``kinds`` in this order: v video, a sound, c cover picture."""
    with av.open(str(path), "w") as container:
        streams = [_stream(container, kind, codec, path.suffix) for kind in kinds]
        for kind, stream in zip(kinds, streams, strict=True):
            frames: list[Any] = _sound() if kind == "a" else _pictures(1 if kind == "c" else _N_FRAMES)
            for frame in frames:
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def _stream(container: Any, kind: str, codec: str, ending: str) -> Any:
    if kind == "a":
        return container.add_stream("mp3" if ending in (".mp3", ".avi") else "mp2", rate=44_100)
    stream = container.add_stream("mjpeg" if kind == "c" else codec, rate=25)
    stream.width, stream.height = SIZE
    stream.pix_fmt = "yuvj420p" if kind == "c" else "yuv420p"
    if kind == "c":
        try:
            stream.disposition = _ATTACHED_PICTURE
        except (AttributeError, TypeError):
            pytest.skip("this PyAV cannot mark a stream as a cover picture")
    stream.codec_context.thread_count = 1
    if codec == "libx264" and kind != "c":
        stream.options = {"bf": "3"}
    return stream


def _pictures(count: int) -> list[av.VideoFrame]:
    frames = [av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24") for number in range(count)]
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 25)
    return frames


def _sound() -> list[av.AudioFrame]:
    frames = []
    for number in range(30):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1152), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 1152 * number, Fraction(1, 44_100)
        frames.append(frame)
    return frames


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts", ".avi", ".mov"])
@pytest.mark.parametrize("kinds", ["av", "va", "aav", "ava"])
def test_frames_that_wait_in_the_decoder_are_read_whatever_stream_comes_first(
    tmp_path: Path, kinds: str, ending: str, codec: str
) -> None:
    video, frames = read_clip(_write(tmp_path / f"clip{ending}", kinds, codec))
    assert [read_number(frame.image) for frame in frames] == list(range(_N_FRAMES))
    assert (video.report.n_lost, video.report.gaps) == (0, ())


@pytest.mark.parametrize("kinds", ["vac", "cva", "vc", "cv"])
def test_a_cover_picture_is_no_video_stream(tmp_path: Path, kinds: str) -> None:
    path = _write(tmp_path / "clip.mp4", kinds)
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams.video].count("mjpeg") == 1
    video, frames = read_clip(path)
    assert [read_number(frame.image) for frame in frames] == list(range(_N_FRAMES))
    assert video.info.other_video_streams == ()
    assert video.report.messages == ()


@pytest.mark.parametrize("name", ["song.mp3", "song.mp4"])
def test_a_song_with_a_cover_picture_has_no_video(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "song.mp3", "ac").rename(tmp_path / name)
    with pytest.raises(InputError, match="no video stream, only a cover picture and audio"):
        open_video(path)


_READ_AND_COLLECT = """
import gc, sys
from mien.media import open_video
with open_video(sys.argv[1]) as video:
    print(sum(1 for _ in video))
del video
gc.collect()
print("collected")
"""


def test_a_colour_profile_in_an_animated_png_does_not_end_the_process(tmp_path: Path) -> None:
    # PyAV 18 frees the name of the profile twice once the side data of a frame are collected.
    pictures = [Image.new("RGB", (64, 48), (80 * number, 0, 0)) for number in range(3)]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "profile.png"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], icc_profile=profile)
    assert b"iCCP" in path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", _READ_AND_COLLECT, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "3\ncollected\n"), done.stderr
