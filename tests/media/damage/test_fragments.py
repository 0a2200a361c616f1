# SPDX-License-Identifier: Apache-2.0
"""Frames that fragments of MP4 tell, whichever boxes are destroyed."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.media import DecodeReport, open_video
from mien.media.damage.fragments import count_fragments

_N_FRAMES = 120
_FLAGS = {
    "keyframes": "frag_keyframe+empty_moov",
    "every frame": "frag_every_frame+empty_moov+default_base_moof",
    "dash": "dash+frag_keyframe+empty_moov",
}
MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    folder = tmp_path_factory.mktemp("videos")

    def make(kind: str, *, sound: bool = False, pause_s: int = 0, start_s: int = 0) -> Path:
        path = folder / f"{kind.replace(' ', '-')}-{sound}-{pause_s}-{start_s}.mp4"
        if path.exists():
            return path
        noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        with av.open(str(path), "w", options={"movflags": _FLAGS[kind]}) as container:
            stream: Any = container.add_stream("libx264", rate=30, options={"g": "15", "bf": "2"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.thread_count = 1
            stream.codec_context.time_base = Fraction(1, 30)
            audio = container.add_stream("aac", rate=48000) if sound else None
            for number in range(_N_FRAMES):
                frame = av.VideoFrame.from_ndarray(np.roll(noise, number, axis=1), format="rgb24")
                late = 30 * (start_s + (pause_s if number >= 60 else 0))
                frame.pts, frame.time_base = number + late, Fraction(1, 30)
                container.mux(stream.encode(frame))
                if audio is not None:
                    block = av.AudioFrame.from_ndarray(np.zeros((2, 1600), np.float32), format="fltp", layout="stereo")
                    block.sample_rate, block.pts, block.time_base = 48000, number * 1600, Fraction(1, 48000)
                    container.mux(audio.encode(block))
            container.mux(stream.encode(None))
            if audio is not None:
                container.mux(audio.encode(None))
        return path

    return make


def _read(path: Path) -> tuple[int, DecodeReport]:
    with open_video(path) as video:
        return sum(1 for _ in video), video.report


def _zeroed(path: Path, target: Path, start: float, stop: float) -> Path:
    data = bytearray(path.read_bytes())
    first, last = int(start * len(data)), int(stop * len(data))
    data[first:last] = bytes(last - first)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("hole", [(0.4, 0.6), (0.3, 0.7)])
@pytest.mark.parametrize("kind", _FLAGS)
def test_frames_in_a_hole_are_counted_exactly(
    make_video: MakeVideo, tmp_path: Path, kind: str, hole: tuple[float, float], sound: bool
) -> None:
    path = _zeroed(make_video(kind, sound=sound), tmp_path / "hole.mp4", *hole)
    n_frames, report = _read(path)
    assert n_frames < _N_FRAMES
    assert abs(n_frames + report.n_lost - _N_FRAMES) <= 3
    assert report.gaps[-1].to_s == pytest.approx(_N_FRAMES / 30, abs=0.2)


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("kind", _FLAGS)
def test_a_hole_may_begin_and_end_within_any_header(
    make_video: MakeVideo, tmp_path: Path, kind: str, sound: bool
) -> None:
    path, target = make_video(kind, sound=sound), tmp_path / "hole.mp4"
    size = path.stat().st_size
    for offset in range(0, 420, 7):
        for start, stop in ((0.3 + offset / size, 0.7), (0.3, 0.7 + offset / size)):
            assert count_fragments(_zeroed(path, target, start, stop), 1, 512).n_frames == _N_FRAMES, (start, stop)


@pytest.mark.parametrize("kind", _FLAGS)
def test_a_destroyed_end_is_told_with_its_range(make_video: MakeVideo, tmp_path: Path, kind: str) -> None:
    n_frames, report = _read(_zeroed(make_video(kind), tmp_path / "end.mp4", 0.6, 1.0))
    n_missing = _N_FRAMES - n_frames
    assert n_missing > 30
    assert report.n_lost == pytest.approx(n_missing, rel=0.25)
    assert any("between" in message for message in report.messages)


@pytest.mark.parametrize("kind", _FLAGS)
def test_a_whole_file_has_no_loss(make_video: MakeVideo, kind: str) -> None:
    for options in ({}, {"sound": True}, {"pause_s": 4}, {"start_s": 50}):
        n_frames, report = _read(make_video(kind, **options))
        assert n_frames == _N_FRAMES
        assert (report.n_lost, report.complete) == (0, True)


def test_a_pause_between_whole_fragments_is_no_loss(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video("keyframes", pause_s=4, start_s=50)
    assert count_fragments(whole, 1, 512.0).n_frames == _N_FRAMES
    n_frames, report = _read(_zeroed(whole, tmp_path / "end.mp4", 0.9, 1.0))
    assert report.n_lost <= 1.5 * (_N_FRAMES - n_frames) + 3


def test_another_track_and_other_files_have_no_fragments(make_video: MakeVideo, tmp_path: Path) -> None:
    assert count_fragments(make_video("keyframes"), 7, 512.0).n_frames == 0
    path = tmp_path / "noise.mp4"
    path.write_bytes(
        b"moof" + b"\0\0\0\x10moof" + bytes(8) + b"\xff\xff\xff\xffmoof" + np.random.default_rng(0).bytes(4000)
    )
    assert count_fragments(path, 1, 512.0) == count_fragments(make_video("keyframes"), 7, 512.0)


def test_damaged_headers_end_without_an_error(make_video: MakeVideo, tmp_path: Path) -> None:
    data = make_video("every frame", sound=True).read_bytes()
    generator = np.random.default_rng(3)
    path = tmp_path / "x.mp4"
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 200):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        assert 0 <= count_fragments(path, 1, 512.0).n_frames < len(data)


def test_a_file_that_is_gone_or_empty_has_no_fragments(tmp_path: Path) -> None:
    assert count_fragments(tmp_path / "gone.mp4", 1, 512.0).n_frames == 0
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert count_fragments(tmp_path / "empty.mp4", 1, 512.0).n_frames == 0
