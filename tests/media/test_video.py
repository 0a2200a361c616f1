# SPDX-License-Identifier: Apache-2.0
"""Indices, times and ranges of video frames, and damaged, truncated and unusable files."""

import gc
import os
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mien.core import ConfigError, InputError
from mien.media import VideoWriter, images, open_video
from mien.media.damage.file_ends import n_bytes_missing
from tests.helpers.media_clips import (
    N_FRAMES,
    SIZE,
    Clip,
    assert_valid_frames,
    cut,
    damage,
    numbered_picture,
    read_clip,
    read_number,
)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("clip.mp4", "libx264", "yuv420p"),
        ("clip.mkv", "libx264", "yuv420p"),
        ("clip.ts", "libx264", "yuv420p"),
        ("clip.mov", "libx264", "yuv420p10le"),
        ("clip.mp4", "mpeg4", "yuv420p"),
        ("clip.avi", "mjpeg", "yuvj420p"),
        ("clip.mpg", "mpeg2video", "yuv420p"),
        ("clip.webm", "libvpx", "yuv420p"),
    ],
)
def test_every_frame_has_its_number_and_time(make_clip: Clip, name: str, codec: str, pix_fmt: str) -> None:
    video, frames = read_clip(make_clip(name, codec=codec, pix_fmt=pix_fmt))
    assert [frame.index for frame in frames] == list(range(N_FRAMES))
    assert [read_number(frame.image) for frame in frames] == list(range(N_FRAMES))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(N_FRAMES)], abs=1e-3)
    assert_valid_frames(video, frames)
    assert (video.info.width, video.info.height) == SIZE
    assert video.info.average_fps == pytest.approx(25)
    assert video.report.n_decoded == N_FRAMES
    assert video.report.n_lost == 0
    assert video.report.messages == ()


def test_times_come_from_the_file_not_from_a_frame_rate(make_clip: Clip) -> None:
    times_ms = [0, 40, 45, 300, 310, 2000, 2040, 2500]
    pictures = [numbered_picture(number) for number in range(len(times_ms))]
    _, frames = read_clip(make_clip(pictures=pictures, times_ms=times_ms))
    assert [frame.time_s for frame in frames] == pytest.approx([time / 1000 for time in times_ms], abs=1e-4)
    assert [read_number(frame.image) for frame in frames] == list(range(len(times_ms)))


def test_times_start_at_the_start_of_the_stream(make_clip: Clip) -> None:
    video, frames = read_clip(make_clip("late.ts", times_ms=[5000 + 40 * number for number in range(N_FRAMES)]))
    assert frames[0].time_s == 0
    assert frames[-1].time_s == pytest.approx(49 / 25, abs=1e-3)
    assert video.info.start_offset_s > 4.9


def test_only_the_frames_asked_for_come_with_their_own_numbers(make_clip: Clip) -> None:
    path = make_clip()
    video, frames = read_clip(path, start_s=0.4, stop_s=1.2, every=5)
    assert [frame.index for frame in frames] == [10, 15, 20, 25]
    assert [read_number(frame.image) for frame in frames] == [10, 15, 20, 25]
    assert [frame.time_s for frame in frames] == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert read_clip(path, start_s=100)[1] == []
    assert video.report.n_lost == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_the_pictures(make_clip: Clip, threads: int) -> None:
    path = make_clip()
    expected = read_clip(path)[1]
    frames = read_clip(path, threads=threads)[1]
    assert all((a.image == b.image).all() for a, b in zip(frames, expected, strict=True))


def test_missing_timestamps_are_estimated_and_said(make_clip: Clip) -> None:
    video, frames = read_clip(make_clip("raw.h264"))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(N_FRAMES)])
    assert any("50 frames had no usable timestamp" in message for message in video.report.messages)


def test_a_clock_that_is_set_back_goes_on(make_clip: Clip) -> None:
    path = make_clip("twice.ts")
    path.write_bytes(path.read_bytes() * 2)
    video, frames = read_clip(path)
    assert_valid_frames(video, frames)
    assert [read_number(frame.image) for frame in frames] == [*range(N_FRAMES), *range(N_FRAMES)]
    assert frames[-1].time_s == pytest.approx(99 / 25, abs=0.1)
    assert any("set back" in message for message in video.report.messages)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("d.mp4", "libx264"), ("d.mp4", "mpeg4"), ("d.mkv", "libx264"), ("d.ts", "libx264"), ("d.mpg", "mpeg2video")],
)
def test_a_damaged_middle_is_passed_over_and_said(make_clip: Clip, name: str, codec: str) -> None:
    path = make_clip(name, codec=codec)
    damage(path, 0.45, 0.55)
    video, frames = read_clip(path)
    assert_valid_frames(video, frames)
    report = video.report
    assert report.n_decoded == len(frames)
    assert N_FRAMES // 2 < len(frames) < N_FRAMES
    assert report.messages
    assert frames[0].index == 0
    # Behind the damage every picture still has its true time, whether or not the container let us count what is gone.
    tail = frames[-8:]
    assert [read_number(frame.image) for frame in tail] == [round(frame.time_s * 25) for frame in tail]
    if name.endswith(".mp4"):  # which lists every frame
        assert report.n_decoded + report.n_lost == N_FRAMES
        assert [read_number(frame.image) for frame in tail] == [frame.index for frame in tail]


def test_a_cut_off_file_gives_what_it_has(make_clip: Clip) -> None:
    path = make_clip(container_options={"movflags": "faststart"})
    cut(path, 0.6)
    video, frames = read_clip(path)
    assert 10 < len(frames) < N_FRAMES
    assert [read_number(frame.image) for frame in frames] == [frame.index for frame in frames]
    assert video.report.n_decoded + video.report.n_lost == N_FRAMES
    assert any("before its declared end" in message for message in video.report.messages)


def test_a_cut_off_matroska_file_is_said_to_be_short(make_clip: Clip) -> None:
    path = make_clip("short.mkv")
    cut(path, 0.5)
    video, frames = read_clip(path)
    assert 10 < len(frames) < N_FRAMES
    assert len(frames) + video.report.n_lost == N_FRAMES
    assert not video.report.complete
    assert any("up to the declared end at 2.00 s are gone" in message for message in video.report.messages)


def test_a_file_cut_before_its_index_is_refused(make_clip: Clip) -> None:
    path = make_clip()
    cut(path, 0.6)
    with pytest.raises(InputError, match=r"clip\.mp4: cannot be opened as a video .*cut off.*copy it again"):
        open_video(path)


def test_no_decodable_frame_is_an_error(make_clip: Clip) -> None:
    path = make_clip(container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = np.random.default_rng(0).bytes(len(data) - start)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"clip\.mp4: no frame can be decoded"):
        open_video(path)


def test_audio_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000)
    with pytest.raises(InputError, match=r"speech\.wav: has no video stream, only audio"):
        open_video(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.mp4", b"", "empty"),
        ("a.mp4", b"hello world\n" * 300, "cannot be opened as a video|not a video"),
        ("a.txt", b"hello world\n" * 300, "cannot be opened as a video|not a video"),
        ("a.mp4", b"%PDF-1.7" + b"x" * 99, "PDF"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0mp42isom", "cannot be opened"),
        ("a.mp4", bytes(5000), "cannot be opened|not a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.\w+: .*({message})"):
        open_video(path)


def test_missing_files_folders_and_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.mp4: no such file"):
        open_video(tmp_path / "absent.mp4")
    with pytest.raises(InputError, match="is a folder"):
        open_video(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    with pytest.raises(InputError, match=r"photo\.jpg: this is an image"):
        open_video(tmp_path / "photo.jpg")


def test_playlists_reach_no_network(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match=r"list\.m3u8"):
        open_video(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile clip.mp4\n"),
        ("list.ts", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.mp4\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "\n\n  #EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nclip.mp4\n#EXT-X-ENDLIST\n"),
        (
            "list.mkv",
            '<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation id="1"><BaseURL>clip.mp4'
            "</BaseURL></Representation></AdaptationSet></Period></MPD>",
        ),
        ("list.avi", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
        ("clip%03d.mp4", "clip001.png"),
    ],
)
def test_no_file_leads_to_other_files(make_clip: Clip, tmp_path: Path, name: str, text: str) -> None:
    make_clip(pictures=[numbered_picture(0)] * 3)
    Image.new("RGB", (8, 8)).save(tmp_path / "clip001.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"refers to other files|cannot be opened as a video|not a video"):
        open_video(tmp_path / name)


def test_a_second_video_stream_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, (width, height) in zip(streams, (SIZE, (64, 48)), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(10):
            for stream, size in zip(streams, (SIZE, (64, 48)), strict=True):
                picture = av.VideoFrame.from_ndarray(numbered_picture(number, SIZE), format="rgb24")
                frame = picture.reformat(*size, format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    video, frames = read_clip(path)
    assert len(frames) == 10
    assert video.info.other_video_streams == ("stream 1 (64 x 48, mpeg4)",)
    assert "stream 0 is read, not stream 1 (64 x 48, mpeg4)" in video.report.messages[0]
    assert video.report.n_lost == 0


def test_a_raw_stream_says_which_rate_its_times_assume(make_clip: Clip) -> None:
    video, _ = read_clip(make_clip("raw.h264"))
    assert video.info.assumed_fps == pytest.approx(25)
    assert "assume 25 frames per second" in video.report.messages[0]


def test_a_name_that_is_not_unicode_is_read(make_clip: Clip, tmp_path: Path) -> None:
    path = make_clip(pictures=[numbered_picture(3)] * 3)
    target = tmp_path / os.fsdecode(b"caf\351.mp4")
    try:
        path.rename(target)
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    assert len(read_clip(target)[1]) == 3


def test_frames_of_absurd_size_are_refused(make_clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.media.video.MAX_PIXELS", 10_000)
    with pytest.raises(InputError, match="160 x 120"):
        open_video(make_clip())
    assert images.MAX_PIXELS == 100_000_000


@pytest.mark.parametrize(
    "options", [{"every": 0}, {"threads": -1}, {"start_s": -1}, {"start_s": 2, "stop_s": 1}, {"stop_s": 0}]
)
def test_impossible_ranges_are_refused(make_clip: Clip, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        open_video(make_clip(pictures=[numbered_picture(0)] * 2), **options)


@pytest.mark.parametrize("name", ["data:1.mp4", "Gesicht ä 顔 😀.mp4", "%03d.mp4", "a b'c.mp4"])
def test_any_file_name_works(make_clip: Clip, name: str) -> None:
    path = make_clip(pictures=[numbered_picture(3)] * 3)
    assert len(read_clip(path.rename(path.with_name(name)))[1]) == 3


def test_tags_in_another_encoding_do_no_harm(make_clip: Clip) -> None:
    path = make_clip(pictures=[numbered_picture(3)] * 3, tags={"title": "Cafe"})
    data = path.read_bytes()
    assert data.count(b"Cafe") == 1
    path.write_bytes(data.replace(b"Cafe", b"Caf\xe9"))
    assert len(read_clip(path)[1]) == 3


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 24), (red, 0, 0)) for red in (0, 100, 200)]
    path = tmp_path / "moving.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100])
    _, frames = read_clip(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.4])
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 100, 200]


def test_closing_early_ends_the_iteration_and_frees_the_file(make_clip: Clip) -> None:
    path = make_clip()
    seen = []
    with open_video(path) as video:
        for frame in video:
            seen.append(frame.index)
            if frame.index == 3:
                break
    assert seen == [0, 1, 2, 3]
    assert list(video) == []
    assert video.report.n_decoded < N_FRAMES
    video.close()
    del video
    gc.collect()
    path.unlink()


def test_a_reader_is_read_once_and_goes_on_where_it_was(make_clip: Clip) -> None:
    with open_video(make_clip()) as video:
        assert next(iter(video)).index == 0
        assert next(iter(video)).index == 1
        assert len(list(video)) == N_FRAMES - 2
        assert list(video) == []


_REAL_CLIPS = {
    "cry_to_laugh.mp4": 472,
    "grid_bbaf2n.mpg": 75,
    "grid_brbk7n.mpg": 75,
    "grid_lbax4n.mpg": 75,
    "no_face.mp4": 95,  # 98 packets: an edit list hides three
    "several_faces.mp4": 275,
    "single_face.mp4": 72,
}


@pytest.mark.parametrize("name", _REAL_CLIPS)
def test_real_clips_decode_whole(shared_data: Path, name: str) -> None:
    # Every tenth picture, since converting is what takes the time.
    video, frames = read_clip(shared_data / "video" / name, every=10)
    assert_valid_frames(video, frames)
    assert video.report.n_decoded == _REAL_CLIPS[name]
    assert video.report.n_lost == 0
    assert video.report.messages == ()
    assert [frame.index for frame in frames] == list(range(0, _REAL_CLIPS[name], 10))


def test_a_clock_is_not_taken_for_a_frame_rate(tmp_path: Path) -> None:
    """A video copied into Matroska has an average rate of 24000 by its own account."""
    path = tmp_path / "copied.mkv"
    with av.open(str(tmp_path / "video.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=Fraction(24000, 1001))
        stream.width, stream.height = SIZE
        for number in range(N_FRAMES):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")))
        video.mux(stream.encode())
    with av.open(str(tmp_path / "video.mp4")) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None:
                packet.stream = copy
                target.mux(packet)
    video, frames = read_clip(path)
    assert video.info.average_fps == pytest.approx(23.976, abs=0.01)
    assert len(frames) == N_FRAMES


def write_noise(path: Path) -> bytes:
    with VideoWriter(path, 64, 48, fps=25, threads=1) as writer:
        for index in range(50):
            noise = np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)
            writer.write(noise, index / 25)
    return path.read_bytes()


def test_a_cut_matroska_file_is_known_to_be_incomplete(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    whole = write_noise(clip)
    assert n_bytes_missing(clip) == 0
    with open_video(clip) as video:
        assert len(list(video)) == 50
    assert video.report.complete
    clip.write_bytes(whole[:-1000])
    assert n_bytes_missing(clip) == 1000
    with open_video(clip) as video:
        assert 0 < len(list(video)) <= 50
    assert not video.report.complete
    assert "the file is cut off, 1000 bytes before its end" in video.report.messages[-1]


def test_a_range_before_the_cut_is_complete(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(write_noise(clip)[:-1000])
    with open_video(clip, stop_s=0.2) as video:
        assert len(list(video)) == 5
    assert video.report.complete
