# SPDX-License-Identifier: Apache-2.0
"""Every line of the table has a reader, a fixture writer and a docs page; a new line without one fails here."""

from pathlib import Path

import pytest

import mien.datasets
from mien.core import ConfigError
from mien.datasets import DATASETS, AnnotationError, check_dataset, create_example, load_dataset
from mien.datasets.registry import load_splits
from tests.helpers.repository import ROOT, run_python

DOCS = ROOT / "docs/reference/datasets"

# What every page must tell, as headings.
SECTIONS = ("## Licence", "## Where to ask", "## Layout", "## Subject overlap", "## What the reader checks")


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


def test_an_unknown_name_is_an_error_with_near_names() -> None:
    with pytest.raises(ConfigError, match="affwild2-va"):
        DATASETS["affwild-va"]


def test_the_table_imports_no_reader() -> None:
    readers = {DATASETS[name].target.partition(":")[0] for name in DATASETS}
    code = "import sys, mien.datasets; print(*(name for name in sys.modules if name.startswith('mien.datasets.')))"
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    assert readers.isdisjoint(done.stdout.split())


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


def test_sets_with_one_file_are_read_whole(tmp_path: Path) -> None:
    shared = [name for name in DATASETS if DATASETS[name].reads_all]
    assert shared
    for name in shared:
        create_example(name, tmp_path / name)
        splits = load_splits(name, tmp_path / name)
        assert tuple(splits) == DATASETS[name].splits
        assert [samples.split for samples in splits.values()] == list(splits)
