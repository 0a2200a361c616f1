# SPDX-License-Identifier: Apache-2.0
"""Losses in damaged files of every container: each is counted, placed in time and never taken for a pause."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.media import DecodeReport, open_video
from tests.helpers.noise_clips import NoiseClip, overwrite, read_times

_FPS = 30
_N_FRAMES = 240
_STEP_S = 1 / _FPS
_FORMATS = {
    "h264.mp4": "libx264",
    "mpeg4.mp4": "mpeg4",
    "h264.mkv": "libx264",
    "vp8.webm": "libvpx",
    "vp9.webm": "libvpx-vp9",
    "h264.ts": "libx264",
    "mpeg2.ts": "mpeg2video",
    "mpeg4.avi": "mpeg4",
    "mjpeg.avi": "mjpeg",
    "flash.flv": "flv",
    "mpeg2.mpg": "mpeg2video",
}
_OPTIONS = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
_HOLES = {
    "2 percent": [(0.5, 0.52)],
    "20 percent": [(0.4, 0.6)],
    "40 percent": [(0.3, 0.7)],
    "several": [(0.3, 0.32), (0.5, 0.55), (0.7, 0.72)],
}
MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    """A function that writes a video of moving noise, once per set of arguments, and returns its path."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str, times_ms: Sequence[int] = (), *, sound: bool = False, key: str = "") -> Path:
        path = folder / f"{key}{'sound' if sound else ''}{name}"
        if path.exists():
            return path
        codec = _FORMATS[name]
        return NoiseClip(
            codec,
            len(times_ms) or _N_FRAMES,
            options={"g": "30", **_OPTIONS.get(codec, {})},
            times=tuple(times_ms),
            time_base=Fraction(1, 1000) if times_ms else None,
            sound=("libmp3lame" if name.endswith("flv") else "mp2") if sound else None,
        ).write(path)

    return make


def _assert_losses_are_reported(times_s: list[float], report: DecodeReport) -> None:
    missing = [
        number * _STEP_S for number in range(_N_FRAMES) if not any(abs(t - number * _STEP_S) < 0.01 for t in times_s)
    ]
    assert missing
    assert report.n_decoded == len(times_s)
    assert abs(report.n_lost - len(missing)) <= max(3, 0.05 * len(missing))
    assert report.n_lost == sum(gap.n_frames for gap in report.gaps)
    assert report.messages
    for time_s in missing:
        assert any(gap.from_s - 0.1 <= time_s <= gap.to_s + 0.1 for gap in report.gaps), time_s
    for gap in report.gaps:
        assert not any(gap.from_s + 0.02 < time_s < gap.to_s - 0.02 for time_s in times_s), gap


@pytest.mark.parametrize("holes", list(_HOLES.values()), ids=list(_HOLES))
@pytest.mark.parametrize("name", _FORMATS)
def test_every_frame_that_vanishes_is_counted_and_placed(
    make_video: MakeVideo, tmp_path: Path, name: str, holes: list[tuple[float, float]]
) -> None:
    path = overwrite(make_video(name), tmp_path / name, holes)
    times_s, report = read_times(path)
    _assert_losses_are_reported(times_s, report)
    assert times_s[-1] == pytest.approx((_N_FRAMES - 1) * _STEP_S, abs=0.02)


@pytest.mark.parametrize("name", ["h264.mkv", "h264.ts", "mpeg4.avi", "mpeg2.mpg", "flash.flv"])
def test_sound_between_the_frames_changes_nothing(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    whole = make_video(name, sound=True)
    assert read_times(whole)[1].gaps == ()
    times_s, report = read_times(overwrite(whole, tmp_path / name, _HOLES["20 percent"]))
    _assert_losses_are_reported(times_s, report)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "vp8.webm", "h264.ts", "mpeg4.avi", "flash.flv"])
def test_noise_hides_no_loss(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    path = overwrite(make_video(name), tmp_path / name, _HOLES["20 percent"], fill="noise")
    times_s, report = read_times(path)
    _assert_losses_are_reported(times_s, report)


@pytest.mark.parametrize("name", ["h264.mkv", "vp8.webm", "vp9.webm", "mpeg4.avi", "mjpeg.avi", "flash.flv"])
def test_a_missing_end_is_counted_to_the_declared_duration(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    times_s, report = read_times(overwrite(make_video(name), tmp_path / name, [], end=0.6))
    assert not report.complete
    _assert_losses_are_reported(times_s, report)
    assert len(report.gaps) == 1


@pytest.mark.parametrize("name", ["h264.mkv", "vp8.webm", "mpeg4.avi"])
def test_zeros_up_to_the_end_are_counted(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    times_s, report = read_times(overwrite(make_video(name), tmp_path / name, [(0.6, 1.0)]))
    _assert_losses_are_reported(times_s, report)


@pytest.mark.parametrize("name", ["h264.mkv", "vp8.webm", "mpeg4.avi", "mjpeg.avi"])
def test_a_damaged_beginning_keeps_the_times(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    whole = make_video(name)
    with av.open(str(whole)) as container:
        first = next(container.demux(video=0))
    assert first.pos is not None
    size = whole.stat().st_size
    times_s, report = read_times(overwrite(whole, tmp_path / name, [((first.pos - 5) / size, 0.3)]))
    _assert_losses_are_reported(times_s, report)
    assert times_s[-1] == pytest.approx((_N_FRAMES - 1) * _STEP_S, abs=0.02)


def test_a_damaged_beginning_of_a_transport_stream_is_counted(make_video: MakeVideo, tmp_path: Path) -> None:
    times_s, report = read_times(overwrite(make_video("h264.ts"), tmp_path / "clip.ts", [(0.01, 0.3)]))
    n_missing = _N_FRAMES - len(times_s)
    assert n_missing > 30
    assert report.n_lost == pytest.approx(n_missing, rel=0.3)  # only the bytes tell
    assert report.gaps[0].from_s == 0


def test_a_transport_stream_cut_within_a_packet_is_incomplete(make_video: MakeVideo, tmp_path: Path) -> None:
    times_s, report = read_times(overwrite(make_video("h264.ts"), tmp_path / "cut.ts", [], end=0.6001))
    assert len(times_s) < _N_FRAMES
    assert not report.complete


_PAUSED = [*range(0, 2000, 40), *range(7000, 9000, 40), *range(9500, 9600, 40)]
_VARIABLE = [sum(20 + 60 * (number % 7 == 0) + 15 * (number % 3) for number in range(last)) for last in range(150)]
_LATE = [5000 + 40 * number for number in range(100)]


@pytest.mark.parametrize("times_ms", [_PAUSED, _VARIABLE, _LATE], ids=["paused", "variable", "late"])
@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "vp8.webm", "vp9.webm", "h264.ts", "flash.flv"])
def test_pauses_variable_rates_and_late_starts_are_no_loss(
    make_video: MakeVideo, name: str, times_ms: list[int]
) -> None:
    times_s, report = read_times(make_video(name, times_ms, key=f"{len(times_ms)}{times_ms[1]}"))
    assert len(times_s) == len(times_ms)
    assert (report.n_lost, report.gaps, report.complete) == (0, (), True)


@pytest.mark.parametrize("name", _FORMATS)
def test_a_whole_file_has_no_loss(make_video: MakeVideo, name: str) -> None:
    times_s, report = read_times(make_video(name))
    assert len(times_s) == _N_FRAMES
    assert (report.n_lost, report.gaps, report.messages) == (0, (), ())


def test_a_pause_in_a_damaged_file_counts_only_the_damage(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video("h264.mkv", _PAUSED, key="pause")
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pos is not None and packet.size]
    first, last = (next(p.pos for p in packets if p.pts * p.time_base >= time_s) for time_s in (7.6, 8.2))
    size = whole.stat().st_size
    times_s, report = read_times(overwrite(whole, tmp_path / "clip.mkv", [(first / size, last / size)]))
    n_missing = len(_PAUSED) - len(times_s)
    assert n_missing >= 10
    assert abs(report.n_lost - n_missing) <= 3
    assert all(gap.from_s > 7 and gap.to_s < 9 for gap in report.gaps)


@pytest.mark.parametrize(
    ("name", "n_frames", "last_s"), [("L_hole60big_long_vp8.webm", 240, None), ("L_hole40_long_m4.avi", 240, 7.97)]
)
def test_known_damaged_files(shared_data: Path, name: str, n_frames: int, last_s: float | None) -> None:
    path = shared_data.parent / "cases" / "files" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    times_s, report = read_times(path)
    assert len(times_s) + report.n_lost == n_frames
    if last_s is not None:
        assert times_s[-1] == pytest.approx(last_s, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["h264.mkv", "h264.ts", "mpeg4.avi", "h264.mp4"])
def test_a_hundred_damaged_places_in_two_hours(tmp_path: Path, name: str) -> None:
    fps, n_frames = 5, 2 * 3600 * 5
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    pictures = [
        av.VideoFrame.from_ndarray(np.roll(noise, number, axis=1), format="rgb24").reformat(format="yuv420p")
        for number in range(40)
    ]
    options = {"g": "10", "preset": "ultrafast"} if "h264" in name else {"g": "10"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(_FORMATS[name], rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.bit_rate = 60_000
        stream.codec_context.thread_count = 1
        for number in range(n_frames):
            frame = pictures[number % 40]
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(2)
    for place in range(100):
        start = int((0.01 + 0.0098 * (place + 0.5 * generator.random())) * len(data))
        size = int(generator.integers(500, 4000))
        data[start : start + size] = bytes(len(data[start : start + size]))
    path.write_bytes(data)
    with open_video(path) as video:
        known = {round(frame.time_s * fps) for frame in video}
    missing = sorted({*range(n_frames)} - known)
    assert len(missing) >= 100
    report = video.report
    assert abs(report.n_lost - len(missing)) <= max(3, 0.05 * len(missing))
    runs = np.split(np.array(missing), np.flatnonzero(np.diff(missing) > 1) + 1)
    for run in runs:
        first_s, last_s = run[0] / fps, run[-1] / fps
        assert any(gap.from_s <= first_s + 0.1 and last_s <= gap.to_s + 0.1 for gap in report.gaps), first_s
    borders = np.array([border for run in runs for border in (run[0] / fps, (run[-1] + 1) / fps)])
    for gap in report.gaps:
        assert np.abs(borders - gap.from_s).min() <= 0.1, gap
        assert np.abs(borders - gap.to_s).min() <= 0.1, gap
