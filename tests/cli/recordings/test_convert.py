# SPDX-License-Identifier: Apache-2.0
"""``mien convert`` and ``mien analyze --openface``."""

from pathlib import Path

import pandas as pd
import pytest

from mien.core import Faces, Frame
from mien.inference import load_spec
from mien.results import TableWriter, read_table, table_schema
from mien.results.openface.openface_columns import openface_header
from tests.helpers.affect_tables import steady, write_frames


def test_analyze_and_convert_give_the_same_openface_file(mien, clip: Path, tmp_path: Path) -> None:
    ended = mien("analyze", clip, "--out", tmp_path / "t.parquet", "--openface", tmp_path / "a.csv")
    assert ended.code == 0
    assert f"wrote {tmp_path / 'a.csv'}" in ended.err
    assert mien("convert", tmp_path / "t.parquet", "--to", "openface", "--out", tmp_path / "b.csv").code == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    df = pd.read_csv(tmp_path / "a.csv")
    assert df[df.success == 1].AU12_r.mean() > 1  # the portrait smiles
    task = load_spec("mien-light").task("action_units")
    threshold = task.thresholds[task.labels.index("AU12")]
    assert df.AU12_c.tolist() == [float(p >= threshold) for p in read_table(tmp_path / "t.parquet")["AU12"].to_pylist()]


def test_thresholds_are_found_for_a_csv_by_its_manifest(mien, clip: Path, tmp_path: Path) -> None:
    mien("analyze", clip, "--out", tmp_path / "t.csv")
    ended = mien("convert", tmp_path / "t.csv", "--to", "openface", "--out", tmp_path / "of.csv")
    assert "note" not in ended.err
    (tmp_path / "t.csv.manifest.json").unlink()
    ended = mien("convert", tmp_path / "t.csv", "--to", "openface", "--out", tmp_path / "of.csv")
    assert ended.code == 0
    assert "action units count as present from 0.5" in ended.err


def test_flags_choose_columns(mien, clip: Path, tmp_path: Path) -> None:
    mien("analyze", clip, "--out", tmp_path / "t.parquet")
    flags = ("--2Dfp", "--3Dfp", "--pdmparams", "--pose", "--aus", "--gaze")
    for flag in flags:
        assert mien("convert", tmp_path / "t.parquet", "--to", "openface", "--out", tmp_path / "of.csv", flag).code == 0
        assert list(pd.read_csv(tmp_path / "of.csv").columns) == list(openface_header("sequence", [flag[2:]]))
    ended = mien("convert", tmp_path / "t.parquet", "--out", tmp_path / "x.csv", "--aus")
    assert ended.code == 2
    assert "--to openface" in ended.err


def test_several_inputs_are_several_files(mien, clip: Path, photo: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin" / clip.name
    twin.parent.mkdir()
    twin.write_bytes(clip.read_bytes())
    ended = mien("analyze", clip, twin, photo, "--out", tmp_path / "t.parquet", "--openface", tmp_path / "of")
    assert ended.code == 0
    assert f"wrote 3 files in {tmp_path / 'of'}" in ended.err
    assert {path.name for path in (tmp_path / "of").glob("*.csv")} == {"clip.csv", "clip-2.csv", "photo.csv"}
    assert pd.read_csv(tmp_path / "of" / "photo.csv").columns[0] == "face"
    ended = mien("analyze", clip, twin, "--out", tmp_path / "tables", "--openface", tmp_path / "of2")
    assert {path.stem for path in (tmp_path / "of2").glob("*.csv")} == {
        path.stem for path in (tmp_path / "tables").glob("*.parquet")
    }


def test_one_file_cannot_hold_several_sources(mien, clip: Path, photo: Path, tmp_path: Path) -> None:
    ended = mien("analyze", clip, photo, "--out", tmp_path / "t.parquet", "--openface", tmp_path / "of.csv")
    assert ended.code == 2
    assert "is for a single input, got 2" in ended.err
    mien("analyze", clip, photo, "--out", tmp_path / "t.parquet")
    ended = mien("convert", tmp_path / "t.parquet", "--to", "openface", "--out", tmp_path / "of.csv")
    assert ended.code == 2
    assert "2 sources" in ended.err
    assert not (tmp_path / "of.csv").exists()


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_between_formats_of_mien(mien, tmp_path: Path, ending: str) -> None:
    with TableWriter(tmp_path / "t.parquet", table_schema()) as writer:
        writer.append("a.mp4", Frame(index=0, time_s=0.0, faces=Faces.empty()))
    ended = mien("convert", tmp_path / "t.parquet", "--out", tmp_path / f"u{ending}")
    assert ended.out == f"wrote {tmp_path / f'u{ending}'}\n"
    assert read_table(tmp_path / f"u{ending}").to_pylist() == read_table(tmp_path / "t.parquet").to_pylist()


def test_an_openface_file_becomes_a_table(mien, tmp_path: Path) -> None:
    (tmp_path / "of.csv").write_text("frame, timestamp, confidence, success, AU12_r\n1, 0.0, 0.9, 1, 2.0\n")
    assert mien("convert", tmp_path / "of.csv", "--out", tmp_path / "t.parquet").code == 0
    assert read_table(tmp_path / "t.parquet")["AU12"].to_pylist() == pytest.approx([0.625])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["t.parquet", "--out", "x.docx"], 2, "must end in one of"),
        (["t.parquet", "--out", "x.txt", "--to", "openface"], 2, "an OpenFace file ends in .csv"),
        (["t.parquet", "--out", "x.csv", "--faces", "somebody"], 2, "faces must be all"),
        (["t.parquet", "--out", "x.csv", "--faces", "track=7"], 2, "no track 7"),
        (["absent.parquet", "--out", "x.csv"], 3, "absent.parquet"),
        (["zero.csv", "--out", "x.csv"], 3, "zero.csv"),
    ],
)
def test_refusals(mien, tmp_path: Path, monkeypatch, arguments: list[str], code: int, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zero.csv").write_bytes(b"")
    with TableWriter("t.parquet", table_schema()) as writer:
        writer.append("a.mp4", Frame(index=0, time_s=0.0, faces=Faces.empty()))
    ended = mien("convert", *arguments)
    assert ended.code == code
    assert message in ended.err
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("ending", [".xlsx", ".sav"])
def test_tables_for_other_programs(mien, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("xlsxwriter" if ending == ".xlsx" else "pyreadstat", reason="an extra")
    table = write_frames(tmp_path / "t.parquet", {"a.mp4": steady(3, 10, (0, "fear", 0.1, 0.2))})
    out = tmp_path / "new" / f"t{ending}"
    assert mien("convert", table, "--out", out).code == 0
    assert out.stat().st_size > 1000


def test_events_for_elan(mien, tmp_path: Path) -> None:
    frames = steady(12, 10, (0, "fear", 0.1, 0.9))
    one = write_frames(tmp_path / "t.parquet", {"a.mp4": frames})
    ended = mien("convert", one, "--out", tmp_path / "a.eaf")
    assert ended.code == 0
    assert "a.mp4 is not there; choose the recording in ELAN" in ended.err
    assert "track 0 AU12 lip corner puller" in (tmp_path / "a.eaf").read_text("utf-8")
    two = write_frames(tmp_path / "u.parquet", {"a.mp4": frames, "b.mp4": frames})
    assert mien("convert", two, "--out", tmp_path / "b.eaf").code == 2
    assert mien("convert", two, "--to", "elan", "--out", tmp_path / "of").code == 0
    assert sorted(path.name for path in (tmp_path / "of").iterdir()) == ["a.eaf", "b.eaf"]
    assert mien("convert", one, "--out", tmp_path / "c.eaf", "--faces", "largest").code == 2
    ended = mien("convert", one, "--out", tmp_path / "t.docx")
    assert ended.code == 2
    assert ".xlsx, .sav or .eaf" in ended.err
