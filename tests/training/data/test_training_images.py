# SPDX-License-Identifier: Apache-2.0
"""Training images from bytes, files and arrays, and the cache of their pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core import ConfigError, DatasetError, OutputError
from mien.training.data.training_images import (
    TrainingImages,
    cache_images,
    cached_side_px,
    default_cache_folder,
    join_images,
)

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (20, 30), dtype=np.uint8)
PNG = cv2.imencode(".png", GRAY)[1].tobytes()


def test_bytes_files_and_arrays_give_the_same_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    for colour, expected in (("gray", GRAY), ("rgb", np.repeat(GRAY[..., None], 3, axis=2))):
        pictures = TrainingImages.of("abc", [PNG, str(tmp_path / "a.png"), GRAY], colour)
        for row in range(3):
            np.testing.assert_array_equal(pictures[row], expected)


def test_the_cache_holds_the_same_pixels_and_is_found_again(tmp_path: Path) -> None:
    colour = cv2.imencode(".png", RNG.integers(0, 255, (40, 20, 3), dtype=np.uint8))[1].tobytes()
    pictures = TrainingImages.of("ab", [PNG, colour], "rgb")
    cached = cache_images(pictures, tmp_path / "cache", 64)
    for row in range(2):
        np.testing.assert_array_equal(cached[row], pictures[row])
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    cache_images(pictures, tmp_path / "cache", 64)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == files
    assert cache_images(pictures, tmp_path / "cache", 10)[1].shape == (10, 5, 3)  # another key, shrunk
    assert len(list((tmp_path / "cache").iterdir())) == 4
    with pytest.raises(ValueError, match="read-only"):
        cached[0][0, 0] = 0


def test_a_changed_file_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    pictures = TrainingImages.of("a", [str(path)], "gray")
    before = pictures.digest()
    path.write_bytes(cv2.imencode(".png", 255 - GRAY)[1].tobytes())
    assert pictures.digest() != before
    path.unlink()
    with pytest.raises(DatasetError, match=r"a\.png cannot be read"):
        pictures.digest()


def test_damaged_images_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = TrainingImages.of(["good", "empty", "cut"], [PNG, b"", PNG[:20]], "gray")
    cached = cache_images(pictures, tmp_path, 64)
    assert cached.readable.tolist() == [True, False, False]
    assert "2 of 3 images cannot be decoded, the first is empty" in caplog.text
    with pytest.raises(DatasetError, match="cut could not be decoded"):
        _ = cached[2]
    with pytest.raises(DatasetError, match="none of 1 images"):
        cache_images(TrainingImages.of("x", [b"no picture"], "gray"), tmp_path, 64)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="--cache"):
        cache_images(pictures, tmp_path / "file", 32)


def test_boxes_select_a_part_and_travel_with_their_rows() -> None:
    boxes = np.array([[2, 3, 12, 9], [np.nan] * 4, [0, 0, 5, 5]], np.float32)
    images = TrainingImages.of("abc", [PNG] * 3, "gray", boxes)
    np.testing.assert_array_equal(images[0], GRAY[3:9, 2:12])
    np.testing.assert_array_equal(images[1], GRAY)
    chosen = images.take(np.array([2, 0]))
    assert chosen.names == ("c", "a")
    np.testing.assert_array_equal(chosen[1], images[0])
    joined = join_images([images, chosen])
    assert joined.names == ("a", "b", "c", "c", "a")
    np.testing.assert_array_equal(joined[3], GRAY[:5, :5])
    assert joined.digest() != images.digest()


def test_a_damaged_image_names_itself() -> None:
    images = TrainingImages.of(["good", "bad"], [PNG, b"no image"], "rgb")
    with pytest.raises(DatasetError, match=r"bad: .*not an image"):
        _ = images[1]


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "mien" / "pictures"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_folder() == Path.home() / ".cache" / "mien" / "pictures"


def test_cached_images_are_twice_as_large_as_the_input() -> None:
    assert (cached_side_px(64), cached_side_px(128), cached_side_px(260)) == (256, 256, 520)


def test_super_resolution_of_some_images_changes_pixels_and_cache(tmp_path: Path) -> None:
    plain = TrainingImages.of(["a"], [GRAY], "gray")
    sharp = plain.upscaled("bicubic")
    both = join_images([plain, sharp])
    assert [both[row].shape for row in range(2)] == [(20, 30), (40, 60)]
    assert [both.take(np.array([1, 0]))[row].shape for row in range(2)] == [(40, 60), (20, 30)]
    assert plain.digest() != sharp.digest()
    assert join_images([plain, plain]).networks == ()
    cached = cache_images(both, tmp_path, 256)
    np.testing.assert_array_equal(cached[1], sharp[0])
    with pytest.raises(ConfigError, match="bicubik"):
        plain.upscaled("bicubik")
