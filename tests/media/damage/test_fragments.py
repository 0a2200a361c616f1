# SPDX-License-Identifier: Apache-2.0
"""Frames that fragments of MP4 tell, whichever boxes are destroyed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.media.damage.fragments import count_fragments
from tests.helpers.noise_clips import NoiseClip, overwrite, read_times

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
        return NoiseClip(
            "libx264",
            _N_FRAMES,
            options={"g": "15", "bf": "2"},
            container_options={"movflags": _FLAGS[kind]},
            times=tuple(number + 30 * (start_s + pause_s * (number >= 60)) for number in range(_N_FRAMES)),
            sound="aac" if sound else None,
        ).write(path)

    return make


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("hole", [(0.4, 0.6), (0.3, 0.7)])
@pytest.mark.parametrize("kind", _FLAGS)
def test_frames_in_a_hole_are_counted_exactly(
    make_video: MakeVideo, tmp_path: Path, kind: str, hole: tuple[float, float], sound: bool
) -> None:
    path = overwrite(make_video(kind, sound=sound), tmp_path / "hole.mp4", [hole])
    times_s, report = read_times(path)
    assert len(times_s) < _N_FRAMES
    assert abs(len(times_s) + report.n_lost - _N_FRAMES) <= 3
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
            assert count_fragments(overwrite(path, target, [(start, stop)]), 1, 512).n_frames == _N_FRAMES, (
                start,
                stop,
            )


@pytest.mark.parametrize("kind", _FLAGS)
def test_a_destroyed_end_is_told_with_its_range(make_video: MakeVideo, tmp_path: Path, kind: str) -> None:
    times_s, report = read_times(overwrite(make_video(kind), tmp_path / "end.mp4", [(0.6, 1.0)]))
    n_missing = _N_FRAMES - len(times_s)
    assert n_missing > 30
    assert report.n_lost == pytest.approx(n_missing, rel=0.25)
    assert any("between" in message for message in report.messages)


@pytest.mark.parametrize("kind", _FLAGS)
def test_a_whole_file_has_no_loss(make_video: MakeVideo, kind: str) -> None:
    for options in ({}, {"sound": True}, {"pause_s": 4}, {"start_s": 50}):
        times_s, report = read_times(make_video(kind, **options))
        assert len(times_s) == _N_FRAMES
        assert (report.n_lost, report.complete) == (0, True)


def test_a_pause_between_whole_fragments_is_no_loss(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video("keyframes", pause_s=4, start_s=50)
    assert count_fragments(whole, 1, 512.0).n_frames == _N_FRAMES
    times_s, report = read_times(overwrite(whole, tmp_path / "end.mp4", [(0.9, 1.0)]))
    assert report.n_lost <= 1.5 * (_N_FRAMES - len(times_s)) + 3


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
