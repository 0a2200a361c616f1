# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from mien.affect import prototype_tiles
from mien.cli.main import main, mien
from mien.results import read_table


def test_an_overlay_is_written_and_changes_a_table(tmp_path: Path) -> None:
    rows = ["image,AU12,expression"]
    for number, (label, tile) in enumerate(one for one in prototype_tiles() if one[0] in ("neutral", "happiness")):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.resize(tile, (224, 224))[..., ::-1])
        rows.append(f"{number}.png,{int(label == 'happiness')},{label}")
    (tmp_path / "faces.csv").write_text("\n".join(rows), "utf-8")
    out = tmp_path / "person.json"
    result = CliRunner().invoke(mien, ["adapt", "--examples", str(tmp_path / "faces.csv"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text("utf-8"))
    assert f"wrote {out}" in result.output
    if not content["tasks"]:
        content["tasks"] = {"valence_arousal": {"bias": {"valence": 0.5}, "error_before": 1, "error_after": 0}}
    content["tasks"].setdefault("valence_arousal", {"bias": {"valence": 0.5}, "error_before": 1, "error_after": 0})
    out.write_text(json.dumps(content), "utf-8")
    tables = []
    for name, further in (("plain", []), ("adapted", ["--adapt", str(out)])):
        table = tmp_path / f"{name}.parquet"
        with pytest.raises(SystemExit) as ended:
            main(["analyze", str(tmp_path / "0.png"), "--out", str(table), "--quiet", *further])
        assert ended.value.code == 0
        tables.append(read_table(table))
    assert tables[0]["valence"][0].as_py() < tables[1]["valence"][0].as_py()
    manifest = json.loads((tmp_path / "adapted.parquet.manifest.json").read_text("utf-8"))
    assert len(manifest["arguments"]["adaptation_sha256"]) == 64


def test_wrong_names_end_with_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("image\n", "utf-8")
    for out in ("person.txt", "faces.csv"):
        result = CliRunner().invoke(
            mien, ["adapt", "--examples", str(tmp_path / "faces.csv"), "--out", str(tmp_path / out)]
        )
        assert result.exit_code == 2
