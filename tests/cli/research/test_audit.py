# SPDX-License-Identifier: Apache-2.0
import csv
import json
from pathlib import Path

from click.testing import CliRunner

from mien.cli.main import mien
from tests.evaluation.audit.test_audit import write_csv


def test_an_audit_writes_its_page_table_and_numbers(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    arguments = ["audit", str(write_csv(tmp_path)), "--out", str(out), "--no-corruptions", "--threads", "1"]
    result = CliRunner().invoke(mien, arguments)
    assert result.exit_code == 0, result.output
    assert "comparisons are within their limits" in result.output
    assert sorted(path.name for path in out.iterdir()) == ["audit.csv", "audit.html", "audit.json"]
    content = json.loads((out / "audit.json").read_text("utf-8"))
    assert content["n"] == 64
    with (out / "audit.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(content["results"])


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(mien, ["audit", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o")])
    assert result.exception is not None
    assert "cannot be read as CSV" in str(result.exception)
