# SPDX-License-Identifier: Apache-2.0
"""Files whose containers declare no end, cut off within their last picture."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from mien.media.damage.last_picture import LastPicture
from tests.helpers.noise_clips import NoiseClip, read_times

_N_FRAMES = 60
# Name -> codec, format if the name does not tell it.
_KINDS: dict[str, tuple[str, str | None]] = {
    "raw.h264": ("libx264", None),
    "raw.hevc": ("libx265", None),
    "raw.m2v": ("mpeg2video", None),
    "raw.bit": ("mpeg4", "m4v"),
    "h264.ts": ("libx264", None),
    "mpeg2.ts": ("mpeg2video", None),
    "mpeg2.mpg": ("mpeg2video", None),
    "clip.nut": ("mpeg4", None),
}
MakeVideo = Callable[[str], Path]


@pytest.fixture(scope="module")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        codec, container = _KINDS[name]
        options = {"x265-params": "log-level=0:pools=1:ctu=16"} if codec == "libx265" else {"g": "12"}
        clip = NoiseClip(codec, _N_FRAMES, 25, (128, 96), options, container=container, n_new_rows=16)
        return clip.write(path)

    return make


@pytest.mark.parametrize("name", _KINDS)
def test_a_file_that_ends_within_a_picture_is_incomplete(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    data = make_video(name).read_bytes()
    path = tmp_path / name
    with av.open(str(make_video(name))) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None]
    for share in (0.5, 0.7, 0.9):
        if len(places) > _N_FRAMES // 2:
            first, following = (places[int(share * len(places)) + step] for step in (0, 1))
            end = (first + following) // 2
        else:
            end = int(share * len(data))
        path.write_bytes(data[: end // 188 * 188 if name.endswith("ts") else end])
        times_s, report = read_times(path)
        assert len(times_s) < _N_FRAMES
        assert not report.complete, share
        assert report.messages


@pytest.mark.parametrize("name", _KINDS)
def test_a_whole_file_is_complete(make_video: MakeVideo, name: str) -> None:
    times_s, report = read_times(make_video(name))
    assert len(times_s) == _N_FRAMES
    assert (report.n_lost, report.complete) == (0, True)


def test_a_long_run_without_a_keyframe_is_not_kept() -> None:
    last = LastPicture()
    packets: list[Any] = [SimpleNamespace(is_keyframe=number == 0, size=20 << 20) for number in range(5)]
    for packet in packets:
        last.add(packet)
    assert last._packets == []


def test_without_packets_nothing_is_cut(make_video: MakeVideo) -> None:
    with av.open(str(make_video("raw.h264"))) as container:
        assert not LastPicture().is_cut(container.streams.video[0].codec_context)
