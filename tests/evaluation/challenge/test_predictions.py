# SPDX-License-Identifier: Apache-2.0
"""Files of predictions against the official list."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.core import InputError
from mien.evaluation.challenge.predictions import validate_predictions
from mien.evaluation.challenge.submission_formats import submission_format
from tests.helpers.submission_data import HEADERS, write_list


def _edit(number: int, change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda lines: [change(line) if i == number else line for i, line in enumerate(lines, start=1)]


FAULTS = {
    "a wrong header": (_edit(1, lambda _: "image,valence,arousal"), "line 1"),
    "a value out of range": (_edit(3, lambda line: line.replace("0.5", "1.5")), r"line 3.*\[-1, 1\]"),
    "something that is no number": (_edit(3, lambda line: line.replace("0.5", "high")), "line 3"),
    "not a number": (_edit(3, lambda line: line.replace("0.5", "nan")), "line 3"),
    "a field too many": (_edit(4, lambda line: line + ",1"), "line 4"),
    "a field too few": (_edit(4, lambda line: line.rpartition(",")[0]), "line 4"),
    "another order": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "line 2"),
    "a lost row": (lambda lines: [*lines[:3], *lines[4:]], "line 4"),
    "a lost last row": (lambda lines: lines[:-1], "line 5.*ends before"),
    "a row too many": (lambda lines: [*lines, "v/00005.jpg,0,0"], "line 6.*beyond"),
    "a row twice": (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4"),
    "a name in quotes": (
        _edit(3, lambda line: f'"{line[:11]}"{line[11:]}'),
        """line 3.*image '"v/00002.jpg"' is not of""",
    ),
    "a blank line": (lambda lines: [*lines[:2], "", *lines[2:]], "line 3.*blank"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_finished_file_are_named_by_line(fault: str, tmp_path: Path) -> None:
    names = [f"v/{frame:05d}.jpg" for frame in range(1, 5)]
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], names)
    lines = [HEADERS["va"], *(f"{name},0.5,-0.25" for name in names)]
    path = tmp_path / "va.txt"
    path.write_text("\n".join(lines) + "\n")
    assert validate_predictions(submission_format("va"), path, listed) == 4
    change, message = FAULTS[fault]
    path.write_text("\n".join(change(lines)) + "\n")
    with pytest.raises(InputError, match=rf"va\.txt.*{message}"):
        validate_predictions(submission_format("va"), path, listed)
