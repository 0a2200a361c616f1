# SPDX-License-Identifier: Apache-2.0
"""Inputs that cannot be read, or not wholly: what is said, and that everything else is done and kept."""

import os
import re
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mien.core import InputError
from mien.media import VideoReader
from mien.pipeline import analyze
from mien.pipeline import table_run as run
from mien.results import TableWriter, read_table
from tests.helpers.face_clips import N_FRAMES, manifest, write_clip, write_photo
from tests.helpers.run_results import code_of


class Good(NamedTuple):
    """The bytes of a good photo and a good clip."""

    photo: bytes
    clip: bytes


Make = Callable[[Path, Good], None]  # writes a bad file


def zero_bytes(path: Path, _: Good) -> None:
    path.write_bytes(b"")


def half_a_photo(path: Path, good: Good) -> None:
    path.write_bytes(good.photo[: len(good.photo) // 2])


def half_a_clip(path: Path, good: Good) -> None:
    path.write_bytes(good.clip[: len(good.clip) // 2])  # its index stands at the end and is gone


def text(path: Path, _: Good) -> None:
    path.write_text("These are my holiday pictures.\n" * 50)


def noise(path: Path, _: Good) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(10_000))


def archive(path: Path, good: Good) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("photo.jpg", good.photo)


def sound(path: Path, _: Good) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))


def huge(path: Path, _: Good) -> None:
    """A valid PNG of 20,000 x 20,000 pixels in 50 kB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


BAD: list[tuple[str, Make, str]] = [
    ("empty.jpg", zero_bytes, r"the file is empty \(0 bytes\); copy or download it again"),
    ("empty.mp4", zero_bytes, r"the file is empty \(0 bytes\); copy or download it again"),
    ("cut.jpg", half_a_photo, "this JPEG file is cut off before its end; copy or download it again"),
    ("cut.mp4", half_a_clip, "cut off before its index.*copy it again or repair it with ffmpeg"),
    ("notes.jpg", text, "not an image of a known format; mien reads JPEG"),
    ("notes.mp4", text, "not a video"),
    ("notes.txt", text, "neither an image nor a video; known suffixes"),
    ("noise.jpg", noise, "not an image of a known format"),
    ("noise.mp4", noise, "cannot be opened as a video"),
    ("photos.jpg", archive, "this is ZIP or office document, not an image; unpack it first"),
    ("sound.mp4", sound, "has no video stream, only audio; give a file with video"),
    ("huge.png", huge, "20000 x 20000 pixels are more than 100 megapixels; make it smaller first"),
]


@pytest.mark.parametrize(("name", "make", "reason"), BAD, ids=[name for name, _, _ in BAD])
def test_one_bad_input_does_not_stop_the_others(
    name: str, make: Make, reason: str, photo: Path, clip: Path, tmp_path: Path
) -> None:
    bad = tmp_path / name
    make(bad, Good(photo.read_bytes(), clip.read_bytes()))
    table = tmp_path / "out" / "all.parquet"
    result = analyze([photo, bad, clip], table)
    assert code_of(result) == 1
    assert [failure.path for failure in result.failures] == [str(bad)]
    assert result.failures[0].reason.startswith(str(bad))
    assert read_table(table)["source"].to_pylist() == [str(photo)] + [str(clip)] * N_FRAMES
    assert manifest(table)["failures"] == [vars(result.failures[0])]
    assert re.search(reason, result.failures[0].reason)


@pytest.mark.parametrize(("name", "make", "reason"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_input_alone_gives_no_table(
    name: str, make: Make, reason: str, photo: Path, clip: Path, tmp_path: Path
) -> None:
    bad = tmp_path / name
    make(bad, Good(photo.read_bytes(), clip.read_bytes()))
    result = analyze(bad, tmp_path / "out" / "folder")
    assert code_of(result) == 3
    assert (result.tables, result.inputs, len(result.failures)) == ((), (), 1)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["failures.csv"]
    assert re.search(reason, result.failures[0].reason)


def test_the_suffix_of_another_kind_loses_nothing(photo: Path, clip: Path, tmp_path: Path) -> None:
    picture, recording = photo.rename(tmp_path / "photo.mp4"), clip.rename(tmp_path / "clip.jpg")
    table = tmp_path / "t.parquet"
    result = analyze([picture, recording], table)
    assert (code_of(result), result.failures) == (0, ())
    assert read_table(table)["source"].to_pylist() == [str(picture)] + [str(recording)] * N_FRAMES


def test_names_that_do_not_exist(photo: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.jpg"
    alone = analyze(gone, tmp_path / "t.csv")
    assert code_of(alone) == 3
    assert alone.failures[0].reason == f"{gone}: no such file or folder; check the name"
    assert code_of(analyze([gone, photo, tmp_path / "*.mkv"], tmp_path / "t.csv")) == 1


def test_a_failed_run_leaves_an_older_table_as_it_was(tmp_path: Path, photo: Path) -> None:
    table = tmp_path / "t.csv"
    analyze(photo, table)
    before = table.read_bytes(), manifest(table)
    assert code_of(analyze(tmp_path / "gone.jpg", table)) == 3
    photo.write_bytes(b"")
    assert code_of(analyze(photo, table)) == 3
    assert (table.read_bytes(), manifest(table)) == before


@pytest.fixture
def damaged_clip(tmp_path: Path, face: np.ndarray) -> Path:
    """Sixty frames whose middle third is noise; the index at the end is intact."""
    clip = write_clip(tmp_path / "damaged.mp4", face, 60)
    data = bytearray(clip.read_bytes())
    middle = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 3
    length = (data.index(b"moov") - data.index(b"mdat")) // 3
    data[middle : middle + length] = np.random.default_rng(0).bytes(length)
    clip.write_bytes(data)
    return clip


def test_a_damaged_middle_gives_the_rows_around_it(damaged_clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    result = analyze(damaged_clip, table)
    assert code_of(result) == 1
    assert result.failures == ()
    record = manifest(table)["inputs"][0]
    frames = read_table(table)["frame"].to_pylist()
    assert record["n_frames_lost"] >= 5
    assert record["n_frames_decoded"] == record["n_rows"] == len(frames)
    assert record["n_frames_decoded"] + record["n_frames_lost"] == 60
    assert frames == sorted(set(frames))
    assert frames[0] == 0
    assert frames[-1] == 59
    assert "after 0." in record["messages"][0]


def test_a_damaged_real_clip(shared_data: Path, tmp_path: Path) -> None:
    data = bytearray((shared_data / "video" / "cry_to_laugh.mp4").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data)
    result = analyze(clip, tmp_path / "t.parquet", every=10)
    assert code_of(result) == 1
    assert result.inputs[0].n_frames_lost > 0
    assert result.inputs[0].n_rows >= 20


def test_a_range_without_frames_is_said(clip: Path, tmp_path: Path) -> None:
    result = analyze(clip, tmp_path / "t.csv", start_s=60, overlay=tmp_path / "o.mp4")
    assert code_of(result) == 3
    reason = f"{clip}: has no frame from 60 s on (it lasts 0.80 s); choose another range"
    assert [failure.reason for failure in result.failures] == [reason]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["failures.csv"]


def test_a_file_that_vanishes_after_it_was_listed(
    photo: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*arguments: object, **settings: object) -> TableWriter:
        photo.unlink(missing_ok=True)
        return TableWriter(*arguments, **settings)

    monkeypatch.setattr(run, "TableWriter", write)
    result = analyze([photo, clip], tmp_path / "t.csv")
    assert code_of(result) == 1
    assert [failure.path for failure in result.failures] == [str(photo)]
    assert result.inputs[0].n_rows == N_FRAMES


def test_a_source_that_breaks_keeps_its_rows_and_overlay(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VideoReader.__iter__

    def broken(reader: VideoReader):
        for frame in whole(reader):
            if frame.index == 13:
                raise InputError(f"{clip}: the drive is gone")
            yield frame

    monkeypatch.setattr(VideoReader, "__iter__", broken)
    table, overlay = tmp_path / "t.csv", tmp_path / "o.mp4"
    result = analyze(clip, table, overlay=overlay)
    assert code_of(result) == 1
    assert [failure.reason for failure in result.failures] == [f"{clip}: the drive is gone"]
    assert read_table(table)["frame"].to_pylist() == list(range(13))
    assert overlay.stat().st_size > 0


def test_names_that_are_not_utf8(tmp_path: Path, photo: Path) -> None:
    try:
        strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
        strange.write_bytes(photo.read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    table = tmp_path / "t.parquet"
    assert code_of(analyze(strange, table)) == 0
    assert read_table(table)["source"].to_pylist() == [f"{tmp_path}/caf\\udce9.jpg"]


def test_a_folder_with_a_bad_file(photo: Path, tmp_path: Path) -> None:
    write_photo(photo.with_name("other.png"), np.zeros((40, 40, 3), np.uint8))
    photo.with_name("empty.jpg").write_bytes(b"")
    result = analyze(photo.parent, tmp_path / "t.csv")
    assert code_of(result) == 1
    assert [Path(failure.path).name for failure in result.failures] == ["empty.jpg"]
    assert len(result.inputs) == 2
