# SPDX-License-Identifier: Apache-2.0
"""``mien analyze`` as the shell sees it: exit codes, words and files."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.core import install_command
from mien.inference import find_bundle
from mien.results import read_table


def test_all_done(mien, photo: Path, clip: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, clip, "--out", tmp_path / "out")
    assert ended.code == 0
    assert ended.out == ""
    assert ended.err.splitlines() == [
        f"{photo}: 1 face, 1 row",
        f"wrote {tmp_path / 'out' / 'photo.parquet'}",
        f"{clip}: 20 faces in 20 frames, 20 rows",
        f"wrote {tmp_path / 'out' / 'clip.parquet'}",
        f"seen in {clip}: a face in 100 % of 0.8 s: mostly happiness (100 %)",
    ]


def test_without_a_place_the_faces_of_photos_are_printed(mien, photo: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    ended = mien("analyze", photo)
    assert ended.code == 0
    header, row = ended.out.splitlines()
    assert header.split()[:3] == ["photo", "face", "expression"]
    assert " happiness " in row
    assert "AU12" in row
    assert "wrote" not in ended.err
    assert set(tmp_path.rglob("*")) == before


def test_without_a_place_a_video_is_a_sentence_and_a_camera_is_refused(mien, clip: Path) -> None:
    ended = mien("analyze", clip)
    assert (ended.code, ended.out) == (0, "")
    assert f"seen in {clip}: a face in 100 %" in ended.err
    refused = mien("analyze", "0")
    assert refused.code == 2
    assert "a camera has no end" in refused.err


def test_a_dash_writes_json_lines_to_standard_output(mien, photo: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, "--out", "-", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    assert json.loads(line)["face"] == 1
    assert not Path("-").exists()
    assert mien("analyze", tmp_path / "gone.jpg", "--out", "-").code == 3


def test_other_files_of_a_folder_are_named(mien, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(photo, folder / "a.jpg")
    (folder / "notes.txt").write_text("x")
    ended = mien("analyze", folder, "--out", tmp_path / "t.csv")
    assert ended.code == 0
    assert f"note: 1 file is no photo or video by the suffix and not read: {folder / 'notes.txt'}" in ended.err
    assert "not read" not in mien("analyze", folder / "a.jpg", "--out", tmp_path / "u.csv").err


def test_what_was_written_is_named(mien, photo: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", "--overlay", tmp_path / "o.jpg")
    assert f"wrote {tmp_path / 'o.jpg'}" in ended.err


def test_some_failed(mien, photo: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    ended = mien("analyze", gone, photo, "--out", tmp_path / "t.csv")
    assert ended.code == 1
    assert f"failed: {gone}: no such file or folder; check the name" in ended.err
    assert "1 of 2 inputs done" in ended.err
    assert read_table(tmp_path / "t.csv").num_rows == 1


def test_all_failed(mien, tmp_path: Path) -> None:
    ended = mien("analyze", tmp_path / "gone.mp4", "--out", tmp_path / "t.csv")
    assert ended.code == 3
    assert ended.err.startswith("failed: ")
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "0"], "Invalid value for '--every'"),
        (["--every", "x"], "Invalid value for '--every'"),
        (["--from", "3", "--to", "2"], "the range from 3 s to 2 s is empty"),
        (["--from", "-1"], "Invalid value for '--from': -1.0 is not in the range"),
        (["--from", "nan"], "start_s must be from 0 to 100,000,000, got nan"),
        (["--faces", "some"], "faces must be all, largest, track=ID or person=NAME, got 'some'"),
        (["--faces", "track=x"], "got 'track=x'"),
        (["--faces", "person=me"], "persons are named in a table"),
        (["--threads", "0"], "Invalid value for '--threads'"),
        (["--overlay-anonymous"], "anonymous changes the overlay"),
        (["--detector", "haar"], "no detector is named 'haar'; choose from mtcnn, mien-faces, yunet"),
        (["--runtime", "tensorrt"], "no runtime is named 'tensorrt'"),
        (["--overlay", "drawn.mp4"], "the overlay of an image is an image"),
        (["--overlay", "drawn.xyz"], "the overlay of an image is an image; name it one of .bmp"),
        (["--log", "xml"], "Invalid value for '--log'"),
    ],
)
def test_wrong_usage(mien, photo: Path, tmp_path: Path, options: list[str], message: str) -> None:
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", *options)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "t.csv").exists()


def test_an_overlay_with_several_inputs(mien, photo: Path, clip: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, clip, "--out", tmp_path, "--overlay", tmp_path / "o.mp4")
    assert ended.code == 2
    assert "an overlay needs a single input, got 2" in ended.err


@pytest.mark.parametrize("ending", [".xyz", ".png", ""])
def test_an_overlay_of_an_unknown_ending(mien, clip: Path, tmp_path: Path, ending: str) -> None:
    ended = mien("analyze", clip, "--out", tmp_path / "t.csv", "--overlay", tmp_path / f"o{ending}")
    assert ended.code == 2
    assert "the overlay of a video is a video; name it one of .m4v, .mkv, .mov, .mp4" in ended.err
    assert not (tmp_path / "t.csv").exists()


def test_an_unknown_table_ending(mien, photo: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, "--out", tmp_path / "t.xlsx")
    assert ended.code == 2
    assert "a table ends in one of .parquet, .csv, .jsonl, .ndjson" in ended.err


@pytest.mark.parametrize("arguments", [[], ["--out", "t.csv"]])
def test_missing_arguments(mien, arguments: list[str]) -> None:
    assert mien("analyze", *arguments).code == 2


def test_an_output_that_cannot_be_written(mien, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    ended = mien("analyze", photo, "--out", tmp_path / "file" / "t.csv")
    assert ended.code == 3
    assert f"mien: cannot write {tmp_path / 'file' / 't.csv'}" in ended.err


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped bundle that a test may harm."""
    folder = tmp_path / "bundle"
    shutil.copytree(find_bundle("mien-light"), folder)
    return folder


def flip_a_byte(bundle: Path) -> None:
    graph = bytearray((bundle / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(graph)


def another_version(bundle: Path) -> None:
    spec = json.loads((bundle / "model.json").read_text())
    (bundle / "model.json").write_text(json.dumps(spec | {"spec_version": 99}))


def no_graph(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (flip_a_byte, "the bundle is damaged, copy it again"),
        (another_version, "spec_version 99 is not 1; this mien cannot read it, update mien"),
        (no_graph, "model.onnx: cannot be read"),
        (shutil.rmtree, "no bundle of that name and no folder with model.json"),
    ],
)
def test_a_bad_bundle(mien, bundle: Path, photo: Path, tmp_path: Path, harm, message: str) -> None:
    harm(bundle)
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", "--model", bundle)
    assert ended.code == 4
    assert str(bundle) in ended.err
    assert message in ended.err
    assert not (tmp_path / "t.csv").exists()


def test_a_missing_extra(mien, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", "--runtime", "openvino")
    assert ended.code == 5
    assert ended.err == f"mien: openvino is not installed; run: {install_command('openvino')}\n"


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_gives_the_same_row(mien, photo: Path, tmp_path: Path) -> None:
    rows = []
    for runtime in ("onnxruntime", "openvino"):
        assert mien("analyze", photo, "--out", tmp_path / f"{runtime}.csv", "--runtime", runtime).code == 0
        rows.append(read_table(tmp_path / f"{runtime}.csv").to_pylist()[0])
    assert rows[0]["valence"] == pytest.approx(rows[1]["valence"], abs=1e-3)
    assert rows[0]["expression_happiness"] == pytest.approx(rows[1]["expression_happiness"], abs=1e-3)


def test_no_affect_below_a_quality(mien, photo: Path, tmp_path: Path) -> None:
    rows = {}
    for least in ("0", "1"):
        assert mien("analyze", photo, "--out", tmp_path / f"{least}.csv", "--min-quality", least).code == 0
        (rows[least],) = read_table(tmp_path / f"{least}.csv").to_pylist()
    assert rows["0"]["valence"] is not None
    assert rows["0"]["quality"] < 1
    abstained = {name for name, value in rows["1"].items() if value is None and rows["0"][name] is not None}
    assert {"expression", "expression_happiness", "valence", "arousal", "AU12"} <= abstained
    assert rows["1"]["success"]
    assert (rows["1"]["x0"], rows["1"]["quality"]) == (rows["0"]["x0"], rows["0"]["quality"])


def test_an_adaptive_rate_reads_less_and_keeps_every_row(mien, clip: Path, tmp_path: Path) -> None:
    tables = []
    for name, options in (("all", []), ("few", ["--adaptive", "5,1"])):
        assert mien("analyze", clip, "--out", tmp_path / f"{name}.parquet", *options).code == 0
        tables.append(read_table(tmp_path / f"{name}.parquet").to_pylist())
    every, few = tables
    assert [row["frame"] for row in few] == [row["frame"] for row in every]
    assert [row["success"] for row in few] == [row["success"] for row in every]
    assert all(row["valence"] is not None for row in few if row["success"])
    assert [row["valence"] for row in few] != [row["valence"] for row in every]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-quality", "1.5"], "Invalid value for '--min-quality'"),
        (["--adaptive", "5,x"], "adaptive"),
        (["--adaptive", "1,5"], "strides must fall"),
        (["--landmark-model", "no-such-net"], "no-such-net"),
    ],
)
def test_settings_that_make_no_sense(mien, photo: Path, tmp_path: Path, options: list[str], message: str) -> None:
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", *options)
    assert ended.code in (2, 4)
    assert message in ended.err
    assert not (tmp_path / "t.csv").exists()


def test_a_damaged_clip_is_done_in_part(mien, clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 8] = np.random.default_rng(0).bytes(len(data) // 8)
    clip.write_bytes(data)
    ended = mien("analyze", clip, "--out", tmp_path / "t.csv")
    assert ended.code == 1
    assert "lost), " in ended.err
    assert f"warning: {clip}: after 0." in ended.err
    assert read_table(tmp_path / "t.csv").num_rows > 0


def test_json_lines(mien, photo: Path, clip: Path, tmp_path: Path) -> None:
    strange = photo.rename(photo.with_name("für [bold]mich[red].jpg"))
    gone = tmp_path / "gone.png"
    ended = mien("analyze", strange, gone, clip, "--out", tmp_path / "t.csv", "--log", "json")
    assert ended.code == 1
    events = [json.loads(line) for line in ended.err.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "failure"
    assert [kind for kind in kinds if kind != "progress"] == [
        *("failure", "input", "input", "table", "failures", "seen", "summary"),
    ]
    progress = next(event for event in events if event["event"] == "progress")
    assert progress == {
        "event": "progress",
        "source": str(strange),
        "number": 0,
        "n_inputs": 3,
        "n_frames": 1,
        "n_frames_expected": 1,
        "n_faces": 1,
        "n_inputs_done": 1,
    }
    inputs = [event for event in events if event["event"] == "input"]
    assert [event["path"] for event in inputs] == [str(strange), str(clip)]
    assert inputs[1]["n_rows"] == 20
    assert ended.err.isascii()


def test_errors_are_json_lines_too(mien, photo: Path, tmp_path: Path) -> None:
    ended = mien("analyze", photo, "--out", tmp_path / "t.csv", "--model", "nonsense", "--log", "json")
    event = json.loads(ended.err)
    assert (ended.code, event["event"], event["exit_code"]) == (4, "error", 4)
    assert "nonsense" in event["message"]


def test_names_with_brackets_and_spaces_in_text(mien, photo: Path, tmp_path: Path) -> None:
    strange = photo.rename(photo.with_name("a [bold]b[red] 日本.jpg"))
    ended = mien("analyze", strange, "--out", tmp_path / "t.csv")
    assert ended.code == 0
    assert str(strange) in ended.err


def test_a_pipe_gets_no_bar(mien, clip: Path, tmp_path: Path) -> None:
    ended = mien("analyze", clip, "--out", tmp_path / "t.csv")
    assert "\x1b" not in ended.err
    assert "\r" not in ended.err
    assert len(ended.err.splitlines()) == 3


def test_rows_of_a_crashed_run_are_announced(mien, photo: Path, tmp_path: Path) -> None:
    from mien.core import Faces, Frame
    from mien.results import TableWriter, table_schema

    table = tmp_path / "t.csv"
    crashed = TableWriter(table, table_schema())
    crashed.append("clip.mp4", Frame(index=0, time_s=0.0, faces=Faces.empty()))
    crashed.flush()
    crashed._spool.release()  # what the system does when a process crashes
    ended = mien("analyze", photo, "--out", table)
    assert ended.code == 0
    saved = tmp_path / "t.recovered.csv"
    assert f"note: 1 rows of an interrupted run over {table} are now in {saved}" in ended.err
    assert read_table(saved).num_rows == 1
