# SPDX-License-Identifier: Apache-2.0
"""Columns of still images."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import ConfigError
from mien.datasets import ImageSamples
from mien.datasets.image_samples import match_images


def _samples(**columns: object) -> ImageSamples:
    given: dict[str, object] = {"dataset": "test", "split": "train", "folder": Path("images"), "names": ("a", "b", "a")}
    return ImageSamples(**{**given, **columns})  # type: ignore[arg-type] # a test may leave out or replace any column


def test_columns_that_are_not_given_are_unknown() -> None:
    samples = _samples()
    assert np.isnan(samples.valence_arousal).all()
    assert np.isnan(samples.boxes).all()
    assert samples.votes.shape == (3, 0)
    assert not (samples.valid_expression | samples.valid_valence_arousal | samples.has_image).any()
    assert samples.counts().valid == {"expression": 0}


def test_half_a_rating_is_none() -> None:
    samples = _samples(valence_arousal=[[0.5, np.nan], [0.1, 0.2], [np.nan, 0.1]])
    assert samples.valid_valence_arousal.tolist() == [False, True, False]
    assert samples.counts().valid["valence_arousal"] == 1


def test_repeated_names_and_missing_files_are_reported() -> None:
    samples = _samples(has_image=[True, False, True])
    assert samples.absent() == (Path("images/b"),)
    assert samples.notes() == ("train: 1 names repeat an earlier one; every row is kept",)
    assert _samples(folder=None).absent() == ()
    assert "train: image files were not searched for" in _samples(folder=None).notes()


def test_pixels_inside_the_table_are_a_gray_image() -> None:
    values = np.arange(48 * 48) % 251
    samples = _samples(folder=None, names=("a", "b"), pixels=pa.array(["0", " ".join(map(str, values))]))
    np.testing.assert_array_equal(samples.take([1]).gray_image(0), values.reshape(48, 48))
    with pytest.raises(ConfigError, match="without image files"):
        samples.image_path(0)
    with pytest.raises(ConfigError, match="use image_path"):
        _samples().gray_image(0)


def test_files_are_matched_below_their_folders(tmp_path: Path) -> None:
    for name in ("a.jpg", "689/b.jpg", "689/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = ["689/c.jpg", "a.jpg", "c.jpg", "none/a.jpg", "a.jpg/a.jpg"]
    assert match_images(tmp_path, names).tolist() == [True, True, False, False, False]
    assert match_images(None, names).tolist() == [False] * 5
