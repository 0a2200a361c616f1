# SPDX-License-Identifier: Apache-2.0
"""Files, folders, patterns and camera numbers as inputs."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.core import InputError
from mien.media import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    VideoWriter,
    encode_jpeg,
    find_inputs,
    load_image,
    open_video,
)

_MP4 = b"\0\0\0\x18ftypisom\0\0\0\0mp42isom" + bytes(64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with media, other files and hidden ones."""
    for name in ("b.mp4", "a.JPG", "deep/er/c.mkv", "deep/d.png", "x.gif", "notes.txt", ".hidden.jpg", ".git/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*patterns: str | Path) -> list[tuple[str, str]]:
    return [(item.kind, Path(item.name).as_posix()) for item in find_inputs(patterns)]


def test_a_folder_gives_its_media_sorted(folder: Path) -> None:
    expected = ["a.JPG", "b.mp4", "deep/d.png", "deep/er/c.mkv", "x.gif"]
    items = find_inputs([folder])
    assert [item.path for item in items] == [folder / name for name in expected]
    assert [item.kind for item in items] == ["image", "video", "image", "video", "image"]
    assert all(item.camera is None and item.name == str(item.path) for item in items)


@pytest.mark.usefixtures("folder")
def test_names_keep_the_order_given_and_come_once(folder: Path) -> None:
    assert found("b.mp4", ".", folder / "b.mp4", "deep/../b.mp4") == [
        ("video", "b.mp4"),
        ("image", "a.JPG"),
        ("image", "deep/d.png"),
        ("video", "deep/er/c.mkv"),
        ("image", "x.gif"),
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.mp4", ["b.mp4"]),
        ("*", ["a.JPG", "b.mp4", "x.gif"]),
        ("**/*", ["a.JPG", "b.mp4", "deep/d.png", "deep/er/c.mkv", "x.gif"]),
        ("de*", ["deep/d.png", "deep/er/c.mkv"]),
        ("[ab].*", ["a.JPG", "b.mp4"]),
    ],
)
def test_patterns_are_expanded(pattern: str, expected: list[str]) -> None:
    assert [name for _, name in found(pattern)] == expected


def test_absolute_patterns_work(folder: Path) -> None:
    assert [item.path for item in find_inputs([str(folder / "*.mp4")])] == [folder / "b.mp4"]


def test_a_file_may_be_named_like_a_pattern_or_a_number(folder: Path) -> None:
    for name in ("[ab].png", "0"):
        Image.new("RGB", (2, 2)).save(folder / name, "PNG")
    assert found("[ab].png", "0", "1") == [("image", "[ab].png"), ("image", "0"), ("camera", "camera 1")]


@pytest.mark.usefixtures("folder")
def test_numbers_are_cameras() -> None:
    (item,) = find_inputs(["0", "00"])
    assert (item.kind, item.camera, item.path, item.name) == ("camera", 0, None, "camera 0")


def test_content_decides_where_the_suffix_is_unknown(folder: Path) -> None:
    Image.new("RGB", (2, 2)).save(folder / "scan.dat", "PNG")
    (folder / "clip").write_bytes(_MP4)
    assert found("scan.dat", "clip") == [("image", "scan.dat"), ("video", "clip")]


def test_hidden_files_are_taken_if_named(folder: Path) -> None:
    assert [item.path for item in find_inputs([folder / ".hidden.jpg"])] == [folder / ".hidden.jpg"]


def test_one_name_need_not_be_a_list(folder: Path) -> None:
    assert len(find_inputs(str(folder))) == 5


def test_linked_folders_form_no_circle(folder: Path) -> None:
    try:
        (folder / "deep" / "up").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets us make no links")
    assert len(find_inputs([folder])) == 5


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.mp4", r"absent\.mp4: no such file or folder"),
        ("-1", r"-1: no such file"),
        ("*.flv", r"\*\.flv: no image or video matches"),
        ("notes.txt", r"notes\.txt: neither an image nor a video"),
        ("", "empty name"),
    ],
)
def test_what_nothing_answers_to_is_named(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_inputs([name])


def test_other_troubles_are_named(folder: Path) -> None:
    (folder / "none").mkdir()
    (folder / "zero.mp4").touch()
    (folder / "paper").write_bytes(b"%PDF-1.7")
    (folder / "phone").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(InputError, match="none: no image or video in this folder"):
        find_inputs(["none"])
    with pytest.raises(InputError, match=r"zero\.mp4: the file is empty"):
        find_inputs(["zero.mp4"])
    with pytest.raises(InputError, match="paper: this is PDF"):
        find_inputs(["paper"])
    with pytest.raises(InputError, match=r"phone: this is HEIC; install mien\[heic\], or convert"):
        find_inputs(["phone"])
    with pytest.raises(InputError, match="no input given"):
        find_inputs([])


def test_suffixes_are_disjoint_and_lower_case() -> None:
    assert not IMAGE_SUFFIXES & VIDEO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES)


@pytest.mark.parametrize(
    "name", ["a.apng", "a.jfif", "a.PBM", "a.avifs", "a.3g2", "a.m2v", "a.h265", "a.mxf", "a.heics"]
)
def test_a_folder_passes_over_no_known_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    assert [item.name for item in find_inputs([tmp_path])] == [str(tmp_path / name)]


def test_real_folder(shared_data: Path) -> None:
    kinds = {item.kind for item in find_inputs([shared_data / "photos", shared_data / "video"])}
    assert kinds == {"image", "video"}


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of this kind are POSIX")
def test_what_is_no_file_is_one_failure_and_the_others_go_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    (tmp_path / "c.png").symlink_to("gone.png")
    (tmp_path / "d.jpg").write_bytes(b"content")
    failures: dict[str, str] = {}
    for names in ([str(tmp_path)], [f"{tmp_path}/*"]):
        found = find_inputs(names, lambda name, error: failures.update({Path(name).name: str(error)}))
        assert [item.path for item in found] == [tmp_path / "d.jpg"]
        assert sorted(failures) == ["a.mp4", "b.jpg", "c.png"]
        assert "is not a regular file" in failures["a.mp4"]
        assert "cannot be reached" in failures["b.jpg"]
        failures.clear()
    with pytest.raises(InputError, match="is not a regular file"):
        find_inputs([tmp_path])
    with pytest.raises(InputError, match="is not a regular file"):
        find_inputs([tmp_path / "a.mp4"])
    with pytest.raises(InputError, match="no such file"):
        find_inputs([tmp_path / "b.jpg"])


def test_a_folder_that_cannot_be_listed_is_one_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "d.jpg").write_bytes(b"content")
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:  # root may list every folder, so that modes would not do
        if os.fspath(path) == str(closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    failures: list[str] = []
    found = find_inputs([tmp_path], lambda name, _: failures.append(name))
    assert ([item.path for item in found], failures) == ([tmp_path / "d.jpg"], [str(closed)])
    with pytest.raises(InputError, match="cannot be listed"):
        find_inputs([closed])


@pytest.mark.parametrize("name", ["photo.HEIC", "photo.heif", "photo.jp2", "photo.jxl", "photo.psd"])
def test_images_that_cannot_be_read_are_not_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    (tmp_path / "notes.txt").write_bytes(b"content")
    assert [(item.kind, item.path) for item in find_inputs([tmp_path])] == [("image", tmp_path / name)]


@pytest.mark.parametrize("name", ["a\0b.mp4", "x" * 5000, "x" * 300 + "*"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(InputError, match=r"check (the name|it)"):
        find_inputs([name])


@pytest.mark.skipif(os.name != "posix", reason="POSIX names are bytes")
def test_a_name_that_is_not_utf8_leads_back_to_its_file(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"content")
    (found,) = find_inputs([tmp_path])
    assert (found.path, found.name) == (path, f"{tmp_path}/caf\\udce9.jpg")
    assert find_inputs([found.name]) == [found]


def test_animations_are_videos_and_single_pictures_are_images(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (20, 10), (80 * number, 0, 0)) for number in range(3)]
    for name, count in (("one.gif", 1), ("three.gif", 3), ("one.png", 1), ("three.png", 3), ("three.webp", 3)):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:count])
    kinds = {"one.gif": "image", "three.gif": "video", "one.png": "image", "three.png": "video", "three.webp": "image"}
    assert {item.path.name: item.kind for item in find_inputs([tmp_path]) if item.path is not None} == kinds
    assert [item.kind for item in find_inputs([tmp_path / "three.gif"])] == ["video"]
    for name in ("three.gif", "three.png"):
        with open_video(tmp_path / name) as video:
            assert len(list(video)) == 3


def test_content_decides_where_the_suffix_says_another_kind(tmp_path: Path) -> None:
    picture = encode_jpeg(np.full((16, 24, 3), 90, np.uint8))
    with VideoWriter(tmp_path / "clip.mp4", 64, 48) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    (tmp_path / "clip.mp4").rename(tmp_path / "clip.jpg")
    (tmp_path / "photo.mp4").write_bytes(picture)
    (tmp_path / "stream.mjpeg").write_bytes(picture * 3)
    (tmp_path / "text.mp4").write_text("no video")
    expected = {"clip.jpg": "video", "photo.mp4": "image", "stream.mjpeg": "video", "text.mp4": "video"}
    for names in ([tmp_path], [tmp_path / name for name in expected], [str(tmp_path / "*")]):
        assert {item.path.name: item.kind for item in find_inputs(names) if item.path} == expected
    with open_video(tmp_path / "stream.mjpeg") as video:
        assert len(list(video)) == 3
    with pytest.raises(InputError, match="this is a video"):
        load_image(tmp_path / "stream.mjpeg")
