# SPDX-License-Identifier: Apache-2.0
"""Damaged, missing and unexplained bytes at the end of a file of any container."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.media.damage.file_ends import PART_LENGTHS, n_bytes_missing
from tests.helpers.noise_clips import NoiseClip, overwrite, read_times

_N_FRAMES = 150
_REALTIME = {"deadline": "realtime", "cpu-used": "8"}
# Name -> codec, options of the container, options of the codec, format if the name does not tell it.
_KINDS: dict[str, tuple[str, dict[str, str], dict[str, str], str | None]] = {
    "h264.ts": ("libx264", {}, {}, None),
    "mpeg2.ts": ("mpeg2video", {}, {}, None),
    "h264.m2ts": ("libx264", {}, {}, None),
    "mpeg2.mpg": ("mpeg2video", {}, {}, None),
    "disc.vob": ("mpeg2video", {}, {}, None),
    "raw.h264": ("libx264", {}, {}, None),
    "raw.m2v": ("mpeg2video", {}, {}, None),
    "raw.bit": ("mpeg4", {}, {}, "m4v"),
    "clip.nut": ("mpeg4", {}, {}, None),
    "clip.gif": ("gif", {}, {}, None),
    "parts.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}, {}, None),
    "mpeg4.avi": ("mpeg4", {}, {}, None),
    "clip.wmv": ("wmv2", {}, {}, None),
    "clip.mxf": ("mpeg2video", {}, {}, None),
    "clip.ivf": ("libvpx", {}, _REALTIME, None),
    "clip.rm": ("rv10", {}, {}, None),
    "clip.y4m": ("wrapped_avframe", {}, {}, None),
}
_ESTIMATED = {"h264.m2ts", "mpeg2.mpg", "disc.vob", "raw.h264", "raw.m2v", "raw.bit", "clip.nut", "parts.mp4"}
MakeVideo = Callable[[str], Path]


@pytest.fixture(scope="module")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        codec, container_options, options, container = _KINDS[name]
        return NoiseClip(
            codec,
            _N_FRAMES,
            fps=25 if name.endswith("mxf") else 30,
            options={"g": "30", **options},
            container_options=container_options,
            container=container,
            n_new_rows=8,
        ).write(path)

    return make


_ENDS = [(name, fill) for name in _KINDS for fill in ("zeros", "noise") if (name, fill) != ("clip.nut", "noise")]


@pytest.mark.parametrize(("name", "fill"), _ENDS)
def test_frames_in_a_damaged_end_are_counted(make_video: MakeVideo, tmp_path: Path, name: str, fill: str) -> None:
    times_s, report = read_times(overwrite(make_video(name), tmp_path / name, [(0.6, 1.0)], fill=fill))
    n_missing = _N_FRAMES - len(times_s)
    assert n_missing > 30
    # Bytes alone tell the number where the container declares no duration.
    limit = 0.25 * n_missing if name in _ESTIMATED else max(5, 0.05 * n_missing)
    assert abs(report.n_lost - n_missing) <= limit
    assert report.messages
    assert report.gaps[-1].to_s == pytest.approx(_N_FRAMES / 30, rel=0.25)


_HOLE = ["h264.m2ts", "mpeg2.mpg", "disc.vob", "clip.mxf", "clip.ivf", "clip.rm"]


@pytest.mark.parametrize("fill", ["zeros", "noise"])
@pytest.mark.parametrize("name", _HOLE)
def test_frames_in_a_hole_are_counted(make_video: MakeVideo, tmp_path: Path, name: str, fill: str) -> None:
    times_s, report = read_times(overwrite(make_video(name), tmp_path / name, [(0.4, 0.6)], fill=fill))
    assert len(times_s) < _N_FRAMES
    assert abs(len(times_s) + report.n_lost - _N_FRAMES) <= max(4, 0.05 * (_N_FRAMES - len(times_s)))


@pytest.mark.parametrize("name", ["raw.h264", "raw.m2v", "raw.bit"])
def test_zeros_in_a_raw_stream_are_counted_by_their_number(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    times_s, report = read_times(overwrite(make_video(name), tmp_path / name, [(0.4, 0.6)], fill="zeros"))
    assert report.n_lost == pytest.approx(_N_FRAMES - len(times_s), rel=0.4)


@pytest.mark.parametrize("name", ["h264.ts", "mpeg2.mpg", "clip.wmv", "clip.gif", "clip.ivf", "clip.rm", "clip.y4m"])
def test_a_file_that_is_cut_off_is_incomplete(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    data = make_video(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(0.6 * len(data)) | 1])
    times_s, report = read_times(path)
    assert len(times_s) < _N_FRAMES
    assert report.n_lost or not report.complete
    assert report.messages


@pytest.mark.parametrize("name", _KINDS)
def test_a_whole_file_has_no_loss(make_video: MakeVideo, name: str) -> None:
    times_s, report = read_times(make_video(name))
    assert len(times_s) == _N_FRAMES
    assert (report.n_lost, report.gaps, report.complete) == (0, (), True)


def test_bytes_behind_the_last_frame_that_mp4_declares_are_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + 60 * (number > 30), Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes() + b"SEFT" + bytes(5000) + b"\xff" * 5000)
    times_s, report = read_times(path)
    assert (len(times_s), report.n_lost, report.complete) == (40, 0, True)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.flv", "a.mkv", "a.ts"])
def test_recordings_that_were_joined_byte_by_byte_are_read_or_named(tmp_path: Path, name: str) -> None:
    codec = "flv1" if name.endswith("flv") else "mpeg4"
    path = NoiseClip(codec, 20, fps=30, options={"g": "10"}).write(tmp_path / name)
    alone = path.read_bytes()
    _, report = read_times(path)
    assert not any("another recording" in message for message in report.messages)
    path.write_bytes(alone * 2)
    times_s, report = read_times(path)
    named = [message for message in report.messages if "another recording" in message]
    assert len(times_s) == 20 * (1 if named else 2)
    assert (report.n_lost, report.complete) == (0, True)
    if named:
        (path.parent / f"second{path.suffix}").write_bytes(
            path.read_bytes()[int(named[0].split(" +")[1].split()[0]) - 1 :]
        )
        assert (path.parent / f"second{path.suffix}").read_bytes() == alone


@pytest.mark.parametrize(
    ("kind", "head", "length"),
    [
        ("mov", b"\0\0\0\x18ftypisom", 24),
        ("mov", b"\0\0\0\x01mdat" + (1 << 33).to_bytes(8), 1 << 33),
        ("mov", bytes(16), None),
        ("mov", b"\0\0\0\x07free", None),
        ("avi", b"JUNK\x05\0\0\0", 14),
        ("avi", b"LIST\x05\0\0\0movi", 12),
        ("avi", bytes(8), None),
        ("mpeg", b"\0\0\1\xe0\0\x10", 22),
        ("mpeg", b"\0\0\1\xb9", 4),
        ("mpeg", b"\0\0\1\xba\x44" + bytes(8) + b"\xf9\xff\xff", 15),
        ("mpeg", b"\0\0\1\xba\x21" + bytes(11), 12),
        ("mpeg", b"\0\0\1\x01\0\x10", None),
        ("rm", b"DATA\0\0\1\0", 256),
        ("rm", bytes(8), None),
    ],
)
def test_lengths_of_the_parts_of_a_file(kind: str, head: bytes, length: int | None) -> None:
    assert PART_LENGTHS[kind](head) == length


def test_a_gif_without_its_trailer_misses_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(b"GIF89a" + bytes(40))
    assert n_bytes_missing(path) == 1
    path.write_bytes(b"GIF89a" + bytes(40) + b"\x3b")
    assert n_bytes_missing(path) == 0
