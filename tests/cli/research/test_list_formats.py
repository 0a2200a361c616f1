# SPDX-License-Identifier: Apache-2.0
"""Lists and predictions in every spelling are read, or refused, alike by `data check`, `submit` and `evaluate`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import create_example
from tests.helpers.scored_tables import table_faces, write_tables
from tests.helpers.submission_data import HEADERS

NAMES = [f"video90/{frame:05d}.jpg" for frame in (1, 2, 3)]
Lines = list[str]

# Change of the lines, header included; whether it is read; words of the refusal.
VARIANTS: dict[str, tuple[Callable[[Lines], str], str]] = {
    "as official": (lambda lines: "\n".join(lines) + "\n", ""),
    "byte-order mark": (lambda lines: "\ufeff" + "\n".join(lines), ""),
    "CRLF": (lambda lines: "\r\n".join(lines) + "\r\n", ""),
    "CR CR LF": (lambda lines: "\r\r\n".join(lines) + "\r\r\n", ""),
    "blank lines at the end": (lambda lines: "\n".join(lines) + "\n\n \n", ""),
    "spaces": (lambda lines: "\n".join(line.replace(",", " , ") + " " for line in lines), ""),
    "blank line between": (lambda lines: "\n".join([*lines[:2], "", *lines[2:]]), "line 3: is blank"),
    "without header": (lambda lines: "\n".join(lines[1:]), "line 1"),
    "a row twice": (lambda lines: "\n".join([*lines, lines[1]]), "listed before"),
    "counted from 0": (lambda lines: "\n".join(lines).replace("00003", "00000"), "frame number 0"),
    "backslashes": (lambda lines: "\n".join(lines).replace("/", "\\"), "not of the form"),
    "names of videos": (
        lambda lines: "\n".join([lines[0], *(line.replace("/00", "_00").replace(".jpg", "") for line in lines[1:])]),
        "not of the form",
    ),
    "only a header": (lambda lines: lines[0], "has a header and no rows"),
    "empty": (lambda _: "", "is empty"),
}


@pytest.mark.parametrize("end", ["", ",", ",,", ",0.1,0.2"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_lists_are_read_alike_by_check_and_submit(variant: str, end: str, tmp_path: Path, mien) -> None:
    change, refusal = VARIANTS[variant]
    create_example("affwild2-va", tmp_path)
    listed = tmp_path / "ABAW_VA_test_set_sample.txt"
    listed.write_text(change([HEADERS["va"], *(name + end for name in NAMES)]), newline="")
    tables = write_tables(tmp_path / "tables", {"video90": [table_faces([0.1])] * 3})
    checked = mien("data", "check", "affwild2-va", tmp_path)
    written = mien("submit", "va", "--list", listed, "--predictions", tables, "--out", tmp_path / "out.txt")
    if refusal:
        assert written.code == 3
        assert refusal in written.err
        assert refusal in checked.out or "test: not read" in checked.out
        assert "test: 3 rows" not in checked.out
        assert not (tmp_path / "out.txt").exists()
    else:
        assert (checked.code, written.code) == (0, 0), (checked.out, written.err)
        assert "test: 3 rows" in checked.out
        assert [line.split(",")[0] for line in (tmp_path / "out.txt").read_text().splitlines()[1:]] == NAMES


@pytest.mark.parametrize("variant", VARIANTS)
def test_predictions_are_read_alike_by_evaluate_and_submit(variant: str, tmp_path: Path, mien) -> None:
    change, refusal = VARIANTS[variant]
    place = tmp_path / "VA_Estimation_Challenge/Validation_Set"
    place.mkdir(parents=True)
    (place / "video90.txt").write_text("valence,arousal\n0.1,0.2\n0.2,0.1\n0.3,0.4\n")
    values = np.array([[0.1, 0.2], [0.2, 0.1], [0.3, 0.4]])
    rows = [f"{name},{v},{a}" for name, (v, a) in zip(NAMES, values, strict=True)]
    predictions, listed = tmp_path / "p.txt", tmp_path / "list.txt"
    predictions.write_text(change([HEADERS["va"], *rows]), newline="")
    listed.write_text("\n".join([HEADERS["va"], *NAMES]))
    evaluated = mien("evaluate", "va", "--data", tmp_path, "--predictions", predictions)
    validated = mien("submit", "va", "--list", listed, "--validate", predictions)
    assert (evaluated.code, validated.code) == ((3, 3) if refusal else (0, 0)), (evaluated.err, validated.err)
    if refusal:
        assert str(predictions) in evaluated.err
        assert str(predictions) in validated.err
    else:
        assert "P_VA         1.0000" in evaluated.out
