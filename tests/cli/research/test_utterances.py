# SPDX-License-Identifier: Apache-2.0
"""The command ``mien utterances``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="makes a small graph: pip install 'mien[test]'")

from mien.cli.main import mien
from tests.helpers.small_sequences import write_small_sequence


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_small_sequence(tmp_path / "sums")
    return tmp_path / "sums"


def run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(mien, ["utterances", *map(str, words)], standalone_mode=False)
    assert done.exception is None, done.exception
    return int(done.return_value), done.stdout, done.stderr


def test_predictions_are_printed_or_written(model: Path, tmp_path: Path) -> None:
    table = tmp_path / "talk.csv"
    table.write_text("id,text\nu1,Oh great.\nu2,Fine!\n")
    code, out, err = run(table, "--model", model)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["id"] for row in rows] == ["u1", "u2"]
    assert 0 < rows[0]["emotion_joy"] < 1
    assert err == "note: talk.csv has no audio: every utterance is read without it\n"
    code, out, _ = run(table, "--model", model, "--out", tmp_path / "scores.csv")
    assert (code, out) == (0, f"wrote {tmp_path / 'scores.csv'}: 2 of 2 utterances scored\n")
    assert (tmp_path / "scores.csv").read_text().startswith("id,place,modalities,emotion_joy")


def test_bad_rows_end_in_1_and_none_good_in_3(model: Path, tmp_path: Path) -> None:
    table = tmp_path / "talk.csv"
    table.write_text("text,audio\nyes,\n" + "no,gone.npy\n" * 12)
    code, out, err = run(table, "--model", model)
    assert (code, len(out.splitlines())) == (1, 13)
    assert err.count("talk.csv, line") == 10
    assert "and 2 more rows without predictions; the output has all" in err
    table.write_text("text,audio\nno,gone.npy\n")
    assert run(table, "--model", model, "--out", tmp_path / "scores.csv")[0] == 3
    assert not (tmp_path / "scores.csv").exists()
