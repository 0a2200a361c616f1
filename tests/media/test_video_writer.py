# SPDX-License-Identifier: Apache-2.0
"""Video files that are written and read back, and writers that fail."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, DraftFile, InputError, OutputError
from mien.media import VideoWriter, open_video
from mien.media import video_writer as writer
from tests.helpers.media_clips import SIZE, numbered_picture, read_number

_TIMES_S = [0.0, 0.04, 0.2, 0.21, 1.001, 2.5]


def write(path: Path, times_s: list[float] = _TIMES_S, *, then: BaseException | None = None) -> None:
    """Write a picture at each time, then raise what is given."""
    with VideoWriter(path, *SIZE) as video:
        for number, time_s in enumerate(times_s):
            video.write(numbered_picture(number), time_s)
        if then is not None:
            raise then


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".MP4"])
def test_what_is_written_is_read_back_with_its_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"über 😀{suffix}"
    write(path)
    with open_video(path) as video:
        frames = list(video)
        assert video.info.codec == "h264"
        assert (video.info.width, video.info.height) == SIZE
        assert video.report.n_lost == 0
    assert [frame.time_s for frame in frames] == pytest.approx(_TIMES_S, abs=6e-4)  # Matroska counts milliseconds
    assert [read_number(frame.image) for frame in frames] == list(range(6))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_colours_survive(tmp_path: Path, astronaut: np.ndarray) -> None:
    path = tmp_path / "portrait.mp4"
    with VideoWriter(path, 512, 512) as video:
        video.write(astronaut, 0)
    with open_video(path) as video:
        image = next(iter(video)).image
    assert np.abs(image.astype(int) - astronaut).mean() < 8
    assert np.abs(image.reshape(-1, 3).mean(0) - astronaut.reshape(-1, 3).mean(0)).max() < 3


@pytest.mark.parametrize(("width", "height"), [(161, 121), (160, 121), (1, 1)])
def test_odd_sizes_are_rounded_up(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "odd.mp4"
    with VideoWriter(path, width, height) as video:
        video.write(np.full((height, width, 3), 180, np.uint8), 0)
    with open_video(path) as video:
        image = next(iter(video)).image
    assert image.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(image.astype(int) - 180).max() < 6


def test_without_h264_it_writes_mpeg4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CODECS", tuple(entry for entry in writer._CODECS if entry[0] != "libx264"))
    write(tmp_path / "old.mp4")
    with open_video(tmp_path / "old.mp4") as video:
        assert video.info.codec == "mpeg4"
        assert [frame.time_s for frame in video] == pytest.approx(_TIMES_S, abs=1e-4)


def test_players_can_start_before_the_whole_file_is_there(tmp_path: Path) -> None:
    write(tmp_path / "fast.mp4")
    data = (tmp_path / "fast.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_times_that_stand_still_move_by_a_tick(tmp_path: Path) -> None:
    write(tmp_path / "still.mp4", [0.0, 0.5, 0.5, 0.3, 1.0])
    with open_video(tmp_path / "still.mp4") as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.5, 0.5, 0.5, 1.0], abs=1e-4)
    assert [read_number(frame.image) for frame in frames] == list(range(5))


def test_an_error_leaves_nothing_and_spares_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError):
        write(path, then=RuntimeError())
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_is_given_last(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, *SIZE) as video:
        video.write(numbered_picture(0), 0)
        assert not path.exists()
    assert path.exists()


def test_an_interruption_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(KeyboardInterrupt):
        write(path, then=KeyboardInterrupt())
    with open_video(path) as read:
        assert len(list(read)) == len(_TIMES_S)


def test_no_picture_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"clip\.mp4: no image was written"):
        write(tmp_path / "clip.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "clip.mp4", *SIZE)
    video.write(numbered_picture(0), 0)
    video.close()
    video.close()
    with pytest.raises(OutputError, match="is closed"):
        video.write(numbered_picture(1), 1)


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    for place, message in [
        ("absent/clip.mp4", "cannot be written .*check the folder"),
        ("file/clip.mp4", "cannot be written"),
        ("folder.mp4", "is a folder"),
        ("clip.txt", r"unknown kind of video file.*\.mp4"),
        ("clip", "unknown kind"),
    ]:
        with pytest.raises(OutputError, match=message):
            VideoWriter(tmp_path / place, 8, 8)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.mp4"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full (Linux)")
def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draft_on_a_full_disk(target: Path) -> DraftFile:
        draft = DraftFile(target)
        draft.path.unlink()
        draft.path.symlink_to("/dev/full")
        return draft

    monkeypatch.setattr(writer, "DraftFile", draft_on_a_full_disk)
    with pytest.raises(OutputError, match=r"clip\.mkv: cannot be written"):
        write(tmp_path / "clip.mkv", [number / 25 for number in range(50)])
    assert list(tmp_path.iterdir()) == []


def test_pictures_and_settings_are_checked(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", *SIZE) as video:
        video.write(numbered_picture(0), 0)
        with pytest.raises(ConfigError, match="must be 160 x 120, got 8 x 9"):
            video.write(np.zeros((9, 8, 3), np.uint8), 1)
        with pytest.raises(InputError, match="uint8"):
            video.write(np.zeros((120, 160, 3)), 1)
        for time_s in (-1.0, float("nan"), float("inf")):
            with pytest.raises(ConfigError, match="a frame cannot have the time"):
                video.write(numbered_picture(1), time_s)
    for settings in ({"width": 0, "height": 8}, {"width": 8, "height": 8, "fps": 0}):
        with pytest.raises(ConfigError):
            VideoWriter(tmp_path / "other.mp4", **settings)
