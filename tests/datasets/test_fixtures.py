# SPDX-License-Identifier: Apache-2.0
"""Examples of all data sets are complete, and nothing but `create_example` imports their writers."""

from pathlib import Path

import pytest

from mien.datasets import DATASETS, Samples, check_dataset, create_example, load_dataset
from mien.media import load_image
from tests.helpers.repository import run_python


@pytest.mark.parametrize("name", DATASETS)
def test_every_split_of_the_example_is_read(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    record = DATASETS[name]
    for split in (*record.splits, *record.optional_splits):
        samples = load_dataset(name, tmp_path, split)
        assert isinstance(samples, Samples)
        assert samples.split == split
        assert len(samples) == samples.counts().n_rows > 0


@pytest.mark.parametrize("name", DATASETS)
def test_the_example_is_whole(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    report = check_dataset(name, tmp_path)
    assert report.problems == ()
    assert set(report.splits) == {*DATASETS[name].splits, *DATASETS[name].optional_splits}


@pytest.mark.parametrize("name", DATASETS)
def test_images_of_the_example_can_be_decoded(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    for path in tmp_path.rglob("*.[jp][pn]g"):
        assert load_image(path).shape == (16, 16, 3)


@pytest.mark.parametrize("name", DATASETS)
def test_an_example_is_written_twice_alike(name: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        create_example(name, tmp_path / folder)
    first, second = (
        {
            path.relative_to(tmp_path / folder): path.read_bytes()
            for path in (tmp_path / folder).rglob("*.*")
            if path.is_file()
        }
        for folder in ("a", "b")
    )
    assert first == second
    assert first


def test_reading_imports_no_fixture_writer() -> None:
    done = run_python("-c", "import sys, mien.datasets; print('mien.datasets.fixtures' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr
