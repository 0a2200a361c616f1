# SPDX-License-Identifier: Apache-2.0
"""Pictures from bytes, files and tables; the cache of decoded ones; what augmentation does to them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core import DatasetError, OutputError
from mien.datasets import FERPLUS_TEMPLATE
from mien.faces import align_faces, resize_face
from mien.training.data.batch_loader import CropSampler, ferplus_style_copy, mix_rectangle
from mien.training.data.training_images import Pictures, cache_pictures
from mien.training.recipes.settings import AugmentationSettings

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (20, 30), dtype=np.uint8)
PNG = cv2.imencode(".png", GRAY)[1].tobytes()


def test_one_picture_kept_three_ways(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    for colour, expected in (("gray", GRAY), ("rgb", np.repeat(GRAY[..., None], 3, axis=2))):
        pictures = Pictures.of("abc", [PNG, str(tmp_path / "a.png"), GRAY], colour)
        for row in range(3):
            np.testing.assert_array_equal(pictures[row], expected)


def test_the_cache_holds_the_same_pixels_and_is_found_again(tmp_path: Path) -> None:
    colour = cv2.imencode(".png", RNG.integers(0, 255, (40, 20, 3), dtype=np.uint8))[1].tobytes()
    pictures = Pictures.of("ab", [PNG, colour], "rgb")
    cached = cache_pictures(pictures, tmp_path / "cache", 64)
    for row in range(2):
        np.testing.assert_array_equal(cached[row], pictures[row])
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    cache_pictures(pictures, tmp_path / "cache", 64)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == files
    assert cache_pictures(pictures, tmp_path / "cache", 10)[1].shape == (10, 5, 3)  # another key, shrunk
    assert len(list((tmp_path / "cache").iterdir())) == 4
    with pytest.raises(ValueError, match="read-only"):
        cached[0][0, 0] = 0


def test_a_changed_file_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    pictures = Pictures.of("a", [str(path)], "gray")
    before = pictures.digest()
    path.write_bytes(cv2.imencode(".png", 255 - GRAY)[1].tobytes())
    assert pictures.digest() != before
    path.unlink()
    with pytest.raises(DatasetError, match=r"a\.png cannot be read"):
        pictures.digest()


def test_damaged_pictures_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = Pictures.of(["good", "empty", "cut"], [PNG, b"", PNG[:20]], "gray")
    cached = cache_pictures(pictures, tmp_path, 64)
    assert cached.readable.tolist() == [True, False, False]
    assert "2 of 3 images cannot be decoded, the first is empty" in caplog.text
    with pytest.raises(DatasetError, match="cut could not be decoded"):
        _ = cached[2]
    with pytest.raises(DatasetError, match="none of 1 images"):
        cache_pictures(Pictures.of("x", [b"no picture"], "gray"), tmp_path, 64)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="--cache"):
        cache_pictures(pictures, tmp_path / "file", 32)


def test_without_augmentation_a_crop_is_the_runtimes() -> None:
    sampler = CropSampler(AugmentationSettings(), FERPLUS_TEMPLATE, 16, np.random.default_rng(0))
    np.testing.assert_array_equal(sampler(GRAY, np.full((5, 2), np.nan)), resize_face(GRAY, 16))


def test_crops_without_jitter_are_the_runtimes() -> None:
    """What the sampler draws around is the runtime's crop: the mean of many draws resembles it."""
    picture = cv2.GaussianBlur(RNG.integers(0, 255, (96, 96), dtype=np.uint8), (0, 0), 6)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    points = np.array(FERPLUS_TEMPLATE) * 96 - 0.5
    settings = AugmentationSettings(aligned=0.5, flip=0.5, rotation_deg=6, zoom=0.15, shift=0.06, occlusion=0.15)
    sampler = CropSampler(settings, FERPLUS_TEMPLATE, 48, RNG)
    mean = np.mean([sampler(picture, points) for _ in range(400)], axis=0)
    crop = align_faces(picture, points[None], FERPLUS_TEMPLATE, 48)[0].astype(float)
    symmetric = (crop + crop[:, ::-1]) / 2  # half of the draws are mirrored
    assert np.corrcoef(mean[8:-8, 8:-8].ravel(), symmetric[8:-8, 8:-8].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("channels", [(), (3,)], ids=["gray", "colour"])
def test_every_kind_of_augmentation_keeps_size_and_source(channels: tuple[int, ...]) -> None:
    picture = RNG.integers(0, 255, (60, 50, *channels), dtype=np.uint8)
    picture.flags.writeable = False  # as from the cache
    names = list(AugmentationSettings.__dataclass_fields__)
    for name in names:
        settings = AugmentationSettings(**{name: 1.0 if name not in ("zoom", "hue", "brightness", "shift") else 0.2})
        sampler = CropSampler(settings, FERPLUS_TEMPLATE, 32, np.random.default_rng(1))
        crop = sampler(picture, np.array(FERPLUS_TEMPLATE) * (50, 60))
        assert crop.shape == (32, 32, *channels)
        assert crop.dtype == np.uint8
    strong = AugmentationSettings(**dict.fromkeys(names, 0.5))
    one, two = (CropSampler(strong, FERPLUS_TEMPLATE, 32, np.random.default_rng(5)) for _ in range(2))
    points = np.full((5, 2), np.nan)
    np.testing.assert_array_equal(one(picture, points), two(picture, points))


def test_gray_copies_keep_their_channels() -> None:
    colour = RNG.integers(0, 255, (96, 60, 3), dtype=np.uint8)
    copy = ferplus_style_copy(colour)
    assert copy.shape == (48, 30, 3)
    assert (copy[..., 0] == copy[..., 2]).all()
    assert ferplus_style_copy(GRAY) is GRAY


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_pasted_rectangle_has_its_share(share: float) -> None:
    rows, columns = mix_rectangle(50, share, np.random.default_rng(0))
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / 2500
    assert area == pytest.approx(share, abs=0.03)
    assert 0 <= rows.start <= rows.stop <= 50
