# SPDX-License-Identifier: Apache-2.0
"""Formats by content: image files of PIL, containers of FFmpeg, and paths that are no files."""

import io
import os
import wave
from pathlib import Path

import pytest
from PIL import Image

from mien.core import InputError
from mien.media.file_types import HEAD_BYTES, KNOWN_FORMATS, Format, identify, identify_file, require_file
from tests.helpers.media_clips import Clip, numbered_picture


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("GIF", "GIF"),
        ("TIFF", "TIFF"),
        ("BMP", "BMP"),
        ("WEBP", "WebP"),
        ("PPM", "PNM"),
    ],
)
def test_image_files_are_identified_and_readable(kind: str, name: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), (1, 2, 3)).save(stream, kind)
    found = identify(stream.getvalue()[:HEAD_BYTES])
    assert found is not None
    assert (found.name, found.content, found.advice) == (name, "image", "")


@pytest.mark.parametrize(
    ("file", "codec", "name"),
    [
        ("clip.mp4", "libx264", "MP4 or QuickTime"),
        ("clip.mov", "mpeg4", "MP4 or QuickTime"),
        ("clip.mkv", "libx264", "Matroska or WebM"),
        ("clip.avi", "mpeg4", "AVI"),
        ("clip.ts", "libx264", "MPEG transport stream"),
        ("clip.mpg", "mpeg2video", "MPEG program stream"),
        ("clip.h264", "libx264", "H.264 stream"),
        ("clip.flv", "flv1", "Flash video"),
    ],
)
def test_containers_are_identified_under_any_suffix(make_clip: Clip, file: str, codec: str, name: str) -> None:
    path = make_clip(file, codec=codec, pictures=[numbered_picture(0)] * 12)
    assert identify_file(path.rename(path.with_suffix(".jpg"))) == Format(name, "video")


@pytest.mark.parametrize(
    ("brands", "name", "content"),
    [
        (b"avif", "AVIF", "image"),
        (b"heic", "HEIC", "image"),
        (b"mif1\0\0\0\0miafavif", "AVIF", "image"),
        (b"mif1\0\0\0\0miafheic", "HEIC", "image"),
        (b"crx ", "Canon raw", "image"),
        (b"M4A ", "M4A", "audio"),
        (b"isom\0\0\0\0avif", "MP4 or QuickTime", "video"),
        (b"qt  ", "MP4 or QuickTime", "video"),
    ],
)
def test_brands_distinguish_the_files_of_one_container(brands: bytes, name: str, content: str) -> None:
    head = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    known = identify(head + b"\0\0\0\x08free")
    assert known is not None
    assert (known.name, known.content) == (name, content)


def test_audio_is_identified(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "speech.wav"), "wb") as audio:
        audio.setparams((1, 2, 8000, 0, "NONE", ""))
        audio.writeframes(bytes(200))
    assert identify_file(tmp_path / "speech.wav") == Format("WAV", "audio")


@pytest.mark.parametrize("head", [b"", b"hello world", b"RIFF\x10\0\0\0ABCD", b"P7 no", b"BMxxxxabcd", bytes(1024)])
def test_other_content_is_unknown(head: bytes) -> None:
    assert identify(head) is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b'<?xml version="1.0"?>\n<SVG xmlns="x"/>', "SVG"),
        (b"  <!DOCTYPE html><html>", "HTML page"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP or office document"),
    ],
)
def test_documents_come_with_advice(head: bytes, name: str) -> None:
    known = identify(head)
    assert known is not None
    assert (known.name, known.content) == (name, "document")
    assert known.advice


def test_an_unreadable_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jpg: cannot be read"):
        identify_file(tmp_path / "absent.jpg")


def test_only_regular_files_with_content_pass(tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.write_bytes(b"x")
    empty.touch()
    require_file(full)
    with pytest.raises(InputError, match=r"empty: the file is empty \(0 bytes\)"):
        require_file(empty)
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        require_file(tmp_path)
    with pytest.raises(InputError, match="absent: no such file; check the name"):
        require_file(tmp_path / "absent")
    with pytest.raises(InputError):
        require_file(Path("a\0b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe, which this system lacks")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a regular file"):
        require_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"#EXTM3U\n#EXTINF:5,\nclip.ts\n", "HLS playlist"),
        (b"ffconcat version 1.0\nfile clip.mp4\n", "FFmpeg playlist"),
        (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "DASH playlist"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "SDP session"),
    ],
)
def test_playlists_are_documents(data: bytes, name: str) -> None:
    found = identify(data)
    assert found is not None
    assert (found.name, found.content) == (name, "document")
    assert "refers to other files" in found.advice


def test_the_page_of_formats_names_every_format_and_what_becomes_of_it() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/file-types.md").read_text(encoding="utf-8")
    for known in KNOWN_FORMATS:
        row = next(line for line in page.splitlines() if line.startswith(f"| {known.name} |"))
        assert known.content in row
        assert ("| yes |" in row) == (not known.advice)
        assert known.advice in row
        assert known.several in row
