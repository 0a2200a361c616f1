# SPDX-License-Identifier: Apache-2.0
"""Hume's sets of whole videos."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EMI_EMOTIONS, ERI_EMOTIONS
from mien.datasets import AnnotationError, create_example, load_emi, load_eri


def test_emi_intensities_are_in_the_order_of_the_labels(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    samples = load_emi(tmp_path, "train")
    assert samples.labels == EMI_EMOTIONS
    np.testing.assert_allclose(samples.intensities[0], [0.1, 0, 0, 0.25, 1, 0.5], rtol=1e-6)


def test_a_test_file_with_targets_is_read(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    text = (tmp_path / "valid_split.csv").read_text().splitlines()
    (tmp_path / "test_split.csv").write_text("\n".join([text[0], "12660,0.1,0.1,0.1,0.1,0.1,0.1", "12661,,,,,,"]))
    assert load_emi(tmp_path, "test").valid_intensities.tolist() == [True, False]


def test_eri_splits_share_one_file(tmp_path: Path) -> None:
    create_example("eri", tmp_path)
    splits = {split: load_eri(tmp_path, split) for split in ("train", "valid", "test")}
    assert {split: samples.names for split, samples in splits.items()} == {
        "train": ("00001",),
        "valid": ("00002",),
        "test": ("00003",),
    }
    assert splits["train"].labels == ERI_EMOTIONS
    assert splits["valid"].countries == ("United States",)
    assert not splits["test"].valid_intensities.any()


def test_eri_without_rows_of_a_split_is_refused(tmp_path: Path) -> None:
    create_example("eri", tmp_path)
    path = tmp_path / "data_info.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if ",Val," not in line))
    with pytest.raises(AnnotationError, match="no row of the split 'valid'"):
        load_eri(tmp_path, "valid")


@pytest.mark.parametrize("load", [load_emi, load_eri])
def test_videos_are_found_by_name(load: object, tmp_path: Path) -> None:
    name, stem = {load_emi: ("emi", "00001"), load_eri: ("eri", "00001")}[load]  # type: ignore[index] # the parameters are the keys
    create_example(name, tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{stem}.mp4").touch()
    samples = load(tmp_path, "train")  # type: ignore[operator] # a reader
    assert samples.videos[samples.names.index(stem)] == tmp_path / f"videos/{stem}.mp4"
    assert samples.counts().n_media == 1
