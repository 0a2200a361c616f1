# SPDX-License-Identifier: Apache-2.0
"""The page of a data set lists the spellings that its reader knows."""

import pytest

from mien.datasets.crop_folders import CROP_FOLDERS
from mien.datasets.readers import affectnet, affwild2, hume, lsd
from tests.helpers.repository import ROOT

_TASKS = {task.name: task for task in (affwild2._VA, affwild2._EXPR, affwild2._AU)}
_SPLITS = tuple(name for names in affwild2._SPLITS.values() for name in names)

SPELLINGS = {
    **{name: (*task.folders, *task.words, *_SPLITS, *CROP_FOLDERS) for name, task in _TASKS.items()},
    "affwild2-mtl": (*affwild2._OFFICIAL.values(), *CROP_FOLDERS),
    "affectnet": (*affectnet._CSV_FILES.values(), *affectnet._CSV_IMAGES),
    "affectnet-npy": tuple(affectnet._NPY_FOLDERS.values()),
    "cexpr": CROP_FOLDERS,
    "emi": tuple(name for names in hume._EMI_FILES.values() for name in names),
    "eri": tuple(name for names in hume._ERI_SPLITS.values() for name in names),
    "lsd": ("ANGRER", "ANGER", *lsd._SPLITS.values()),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_page_lists_what_its_reader_knows(name: str) -> None:
    page = (ROOT / f"docs/reference/datasets/{name}.md").read_text("utf-8").lower()
    section = page.partition("## other spellings\n")[2].partition("\n## ")[0]
    assert section
    assert [spelling for spelling in SPELLINGS[name] if spelling.lower() not in page] == []
