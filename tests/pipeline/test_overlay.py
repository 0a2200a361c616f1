# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.affect import FrameSmoother, Smoothing
from mien.core import ConfigError, Faces, Frame, FrameGap, InputError, OutputError
from mien.media import VideoInfo, VideoWriter, find_inputs, open_video
from mien.pipeline.overlay import Drawing, NoOverlay, SmoothedOverlay
from tests.helpers.affect_tables import faces
from tests.helpers.beeps import beep_of, write_beep
from tests.helpers.face_clips import times_of


def drawn(path: Path, times_s: list[float], size: tuple[int, int] = (64, 48)) -> list[float]:
    width, height = size
    info = VideoInfo(path=None, name="x", width=width, height=height, codec="h264", average_fps=25)
    image = np.full((height, width, 3), 90, np.uint8)
    with Drawing(path=path, anonymous=False).open(info, 1, {}) as overlay:
        for index, time_s in enumerate(times_s):
            overlay.write(Frame(index=index, time_s=time_s, faces=Faces.empty(), image=image))
    return times_of(path)


def test_a_part_of_a_video_begins_at_once_and_keeps_its_pauses(tmp_path: Path) -> None:
    assert drawn(tmp_path / "overlay.mp4", [60.0, 60.1, 60.5]) == pytest.approx([0.0, 0.1, 0.5], abs=1e-3)


def test_lost_frames_are_blank_from_their_time_on(tmp_path: Path) -> None:
    info = VideoInfo(path=None, name="x", width=64, height=48, codec="h264", average_fps=25)
    image = np.full((48, 64, 3), 200, np.uint8)
    gaps = [FrameGap(0.1, 0.5, 10), FrameGap(0.6, 1.0, 10)]
    path = tmp_path / "overlay.mp4"
    with Drawing(path=path, anonymous=False).open(info, 1, {}) as overlay:
        for index, time_s in ((0, 0.0), (1, 0.06), (12, 0.5), (13, 0.56)):
            overlay.show_gaps(gaps, time_s)
            overlay.write(Frame(index=index, time_s=time_s, faces=Faces.empty(), image=image))
        overlay.show_gaps(gaps, float("inf"))
    with open_video(path) as video:
        frames = [(round(frame.time_s, 2), frame.image[:10].mean() > 150) for frame in video]
    assert frames == [
        *((0.0, True), (0.06, True), (0.1, False), (0.5, True), (0.56, True)),
        *((0.6, False), (1.0, False)),
    ]


def test_odd_sizes_and_missing_folders(tmp_path: Path) -> None:
    assert len(drawn(tmp_path / "new" / "folder" / "overlay.mkv", [0.0, 0.04], (63, 47))) == 2


def test_the_ending_must_fit_the_input(photo: Path, clip: Path) -> None:
    image, video = find_inputs([photo, clip])
    with pytest.raises(ConfigError, match=r"o\.mp4: the overlay of an image is an image; name it one of .*\.png"):
        Drawing(path=photo.with_name("o.mp4"), anonymous=False).check(image)
    with pytest.raises(ConfigError, match=r"o\.png: the overlay of a video is a video; name it one of .*\.mp4"):
        Drawing(path=photo.with_name("o.png"), anonymous=False).check(video)


def test_the_input_is_never_replaced(clip: Path) -> None:
    (video,) = find_inputs([clip])
    link = clip.with_name("link.mp4")
    link.symlink_to(clip)
    for path in (clip, link, clip.parent / ".." / clip.parent.name / clip.name):
        with pytest.raises(ConfigError, match="the overlay would replace the input"):
            Drawing(path=path, anonymous=False).check(video)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"overlay\.mp4: cannot be written"):
        drawn(tmp_path / "file" / "overlay.mp4", [0.0])


def write_numbered(path: Path, n_frames: int, fps: int = 10) -> Path:
    """A video whose frames have a brightness of their own."""
    with VideoWriter(path, 64, 48, fps=fps) as writer:
        for index in range(n_frames):
            writer.write(np.full((48, 64, 3), 20 + 8 * index, np.uint8), index / fps)
    return path


def overlay_of(source: Path, out: Path, indices: list[int], every: int, **settings: bool) -> tuple[str, ...]:
    """Writes the overlay of some frames of a file, each with a box of its own; its messages."""
    with open_video(source) as video:
        info, images = video.info, {frame.index: frame.image for frame in video}
    with Drawing(path=out, **{"anonymous": False, **settings}).open(info, every, {}) as overlay:
        for index in indices:
            box = Faces(boxes=[[5, 5, 5 + index, 40]])
            overlay.write(Frame(index=index, time_s=index / 10, faces=box, image=images[index]))
    return overlay.messages


def test_frames_between_the_analysed_ones_hold_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_boxes = []

    def draw(image: np.ndarray, faces: Faces, **_: object) -> np.ndarray:
        drawn_boxes.append(round(float(faces.boxes[0, 2])))
        return image

    monkeypatch.setattr("mien.pipeline.overlay.draw_faces", draw)
    source = write_numbered(tmp_path / "clip.mp4", 18)
    assert overlay_of(source, tmp_path / "o.mp4", [5, 10, 15], 5) == ()
    with open_video(tmp_path / "o.mp4") as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(13)], abs=1e-3)
    # Each has its own picture, and the box of the analysed frame before.
    assert [float(frame.image.mean()) for frame in frames] == pytest.approx(
        [20 + 8 * index for index in range(5, 18)], abs=4
    )
    assert drawn_boxes == [10] * 5 + [15] * 5 + [20] * 3


def test_held_frames_end_where_frames_are_lost(tmp_path: Path) -> None:
    source = write_numbered(tmp_path / "clip.mp4", 12)
    with open_video(source) as video:
        info, images = video.info, {frame.index: frame.image for frame in video}
    with Drawing(path=tmp_path / "o.mp4", anonymous=False).open(info, 5, {}) as overlay:
        for index in (0, 5):
            overlay.show_gaps([FrameGap(0.2, 0.5, 3)], index / 10)
            overlay.write(Frame(index=index, time_s=index / 10, faces=Faces.empty(), image=images[index]))
    times = times_of(tmp_path / "o.mp4")
    assert times[:4] == pytest.approx([0.0, 0.1, 0.2, 0.5], abs=1e-3)
    assert times == sorted(times)


def test_hidden_heads_are_not_held(tmp_path: Path) -> None:
    source = write_numbered(tmp_path / "clip.mp4", 11)
    overlay_of(source, tmp_path / "o.mp4", [0, 5, 10], 5, anonymous=True)
    assert len(times_of(tmp_path / "o.mp4")) == 3  # where a head is in between is not known


def test_an_overlay_with_sound_and_one_whose_source_has_none(tmp_path: Path) -> None:
    source = write_beep(tmp_path / "beep.mp4", beep_s=1.0)
    assert overlay_of(source, tmp_path / "o.mp4", list(range(5, 20)), 1, sound=True) == ()
    assert beep_of(tmp_path / "o.mp4") == pytest.approx(0.5, abs=0.07)
    assert overlay_of(source, tmp_path / "p.mp4", [0, 1], 1) == ()
    with pytest.raises(InputError, match="has no audio"):
        beep_of(tmp_path / "p.mp4")
    silent = write_numbered(tmp_path / "silent.mp4", 3)
    (message,) = overlay_of(silent, tmp_path / "q.mp4", [0, 1], 1, sound=True)
    assert "the overlay has no sound" in message
    assert len(times_of(tmp_path / "q.mp4")) == 2


class Noted(NoOverlay):
    """Notes what it is asked to show."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, float]] = []
        self.tops: list[str | None] = []

    def write(self, frame: Frame) -> None:
        self.shown.append(("frame", round(frame.time_s, 2)))
        self.tops += frame.faces.top_expressions()

    def show_gaps(self, gaps: Sequence[FrameGap], until_s: float) -> None:
        self.shown += [
            ("gap", gap.from_s) for gap in gaps if gap.from_s < until_s and ("gap", gap.from_s) not in self.shown
        ]


def test_an_overlay_shows_smoothed_values_of_every_frame_in_order() -> None:
    noted, gap = Noted(), FrameGap(0.5, 0.6, 2)
    with SmoothedOverlay(noted, FrameSmoother(Smoothing.parse("0.2s"), 0.2)) as overlay:
        for index in (*range(10), *range(12, 20)):
            label = "happiness" if index % 5 == 2 else "neutral"
            overlay.show_gaps([gap] if index >= 12 else [], index / 20)
            overlay.write(Frame(index=index, time_s=index / 20, faces=faces((0, label, 0.0, 0.1))))
        assert len(noted.tops) < 18  # the last ones wait for later frames
        overlay.show_gaps([gap], float("inf"))
    times = [round(index / 20, 2) for index in (*range(10), *range(12, 20))]
    assert [time_s for kind, time_s in noted.shown if kind == "frame"] == times
    assert noted.shown.index(("gap", 0.5)) == 10
    assert set(noted.tops) == {"neutral"}


def test_frames_that_wait_are_drawn_when_a_run_is_stopped() -> None:
    noted = Noted()

    def stopped() -> None:
        with SmoothedOverlay(noted, FrameSmoother(Smoothing.parse("0.4s"))) as overlay:
            overlay.write(Frame(index=0, time_s=0.0, faces=faces((0, "neutral", 0.0, 0.1))))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert noted.shown == [("frame", 0.0)]
