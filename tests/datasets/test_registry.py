# SPDX-License-Identifier: Apache-2.0
"""Every line of the table has a reader, a fixture writer and a docs page; a new line without one fails here."""

import subprocess
import sys
from pathlib import Path

import pytest

import mien.datasets
from mien.core import ConfigError
from mien.datasets import DATASETS, AnnotationError, Samples, check_dataset, create_example, load_dataset

DOCS = Path(__file__).resolve().parents[2] / "docs/datasets"

# What every page must tell, as headings.
SECTIONS = ("## Licence", "## Where to ask", "## Layout", "## Subject overlap", "## What the reader checks")


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
def test_an_empty_folder_is_no_copy(name: str, tmp_path: Path) -> None:
    report = check_dataset(name, tmp_path)
    assert not report.complete
    for split in DATASETS[name].splits:
        with pytest.raises(AnnotationError, match=str(tmp_path)):
            load_dataset(name, tmp_path, split)


@pytest.mark.parametrize("name", DATASETS)
def test_an_unknown_split_is_refused(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    with pytest.raises(AnnotationError):
        load_dataset(name, tmp_path, "holdout")


@pytest.mark.parametrize("name", DATASETS)
def test_the_docs_page_tells_everything(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    missing = [section for section in SECTIONS if section not in page]
    assert not missing
    assert f"mien data check {name}" in page


def test_no_docs_page_without_a_data_set() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} == set(DATASETS)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="affwild2-va"):
        DATASETS["affwild-va"]


def test_reading_imports_no_fixture_writer() -> None:
    code = "import sys, mien.datasets; print('mien.datasets.fixtures' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_the_table_imports_no_reader() -> None:
    readers = {DATASETS[name].target.partition(":")[0] for name in DATASETS}
    code = "import sys, mien.datasets; print(*(name for name in sys.modules if name.startswith('mien.datasets.')))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert readers.isdisjoint(answer.stdout.split())


def test_every_name_of_the_door_leads_somewhere() -> None:
    assert [name for name in mien.datasets.__all__ if not hasattr(mien.datasets, name)] == []
    lazy = [name for names in mien.datasets._LAZY.values() for name in names]
    assert sorted(lazy) == sorted(set(lazy))
    assert set(lazy) <= set(mien.datasets.__all__) <= set(dir(mien.datasets))
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        _ = mien.datasets.load_everything


@pytest.mark.parametrize("name", DATASETS)
def test_a_folder_may_be_named_by_text(name: str, tmp_path: Path) -> None:
    create_example(name, str(tmp_path))
    split = DATASETS[name].splits[0]
    assert len(load_dataset(name, str(tmp_path), split)) == len(DATASETS.load(name)(str(tmp_path), split)) > 0
