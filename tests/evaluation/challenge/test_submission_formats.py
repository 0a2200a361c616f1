# SPDX-License-Identifier: Apache-2.0
"""The official formats: headers, rows, classes and ranges."""

from pathlib import Path

import pytest

from mien.core import InputError
from mien.evaluation.challenge.predictions import read_predictions
from mien.evaluation.challenge.submission_formats import SUBMISSIONS, submission_format
from tests.helpers.submission_data import (
    HEADERS,
)

ROWS = {
    "expr": "v/00001.jpg,7",
    "va": "v/00001.jpg,0.5,-1",
    "au": "v/00001.jpg,0,1,0,0,1,0,0,0,1,0,0,1",
    "mtl": "v/00001.jpg,0.5,-1,4,0,1,0,0,1,0,0,0,1,0,0,1",
    "lsd": "1.jpg,5",
    "ce": "v/00001.jpg,6",
    "emi": "12660,0,0.1,0.2,0.3,0.4,1",
}


@pytest.mark.parametrize("task", sorted(SUBMISSIONS))
def test_headers_and_rows_of_every_form(task: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(f"{HEADERS[task]}\n{ROWS[task]}\n")
    assert SUBMISSIONS[task].header_line == HEADERS[task]
    row = read_predictions(SUBMISSIONS[task], path)
    assert row.values[0].tolist() == [float(value) for value in ROWS[task].split(",")[1:]]
    assert row.names[0].as_py() == ROWS[task].split(",")[0]


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("expr", "v/00001.jpg,8"),
        ("expr", "v/00001.jpg,-1"),
        ("expr", "v/00001.jpg,1.5"),
        ("ce", "v/00001.jpg,7"),
        ("lsd", "1.jpg,6"),
        ("au", "v/00001.jpg,0,2,0,0,1,0,0,0,1,0,0,1"),
        ("emi", "12660,0,1.1,0,0,0,0"),
    ],
)
def test_classes_and_ranges_of_each_task(task: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(f"{HEADERS[task]}\n{row}\n")
    with pytest.raises(InputError, match="line 2, field"):
        read_predictions(submission_format(task), path)
