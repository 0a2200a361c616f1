# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mien._version import __version__
from mien.core import ConfigError, FrameGap, InputError, OutputError
from mien.results import (
    FAILURES_NAME,
    SCHEMA_VERSION,
    FailureRow,
    InputFailure,
    InputRecord,
    RunManifest,
    failure_rows,
    hash_file,
    manifest_path,
    read_failures,
    update_failures,
)

MANIFEST = RunManifest(
    bundle_name="tiny",
    bundle_sha256="00ff",
    arguments={"inputs": ["clips/"], "threads": 2, "smooth": None},
    started=datetime(2026, 5, 1, 12, 0, 0, tzinfo=timezone(timedelta(hours=2))),
    finished=datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC),
    inputs=(
        InputRecord(
            path="clips/Ωmega.mp4",
            kind="video",
            sha256="ab" * 32,
            size_bytes=10,
            n_frames_decoded=98,
            n_frames_lost=2,
            n_rows=120,
            n_faces=110,
            messages=("2 frames are damaged",),
            gaps=(FrameGap(1.5, 1.58, 2),),
        ),
    ),
    failures=(InputFailure(path="clips/caf\udce9.mp4", reason="is empty"),),
)


def test_a_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    path = MANIFEST.save(tmp_path / "table.parquet")
    assert path == manifest_path(tmp_path / "table.parquet") == tmp_path / "table.parquet.manifest.json"
    assert RunManifest.load(tmp_path / "table.parquet") == MANIFEST
    assert list(tmp_path.iterdir()) == [path]


def test_a_manifest_is_json_that_others_understand(tmp_path: Path) -> None:
    values = json.loads(MANIFEST.save(tmp_path / "table.csv").read_bytes())
    assert (values["mien_version"], values["schema_version"]) == (__version__, SCHEMA_VERSION)
    assert (values["started"], values["finished"]) == ("2026-05-01T10:00:00Z", "2026-05-01T10:00:30Z")
    assert values["arguments"] == MANIFEST.arguments
    assert values["inputs"][0]["path"] == "clips/Ωmega.mp4"
    assert values["inputs"][0]["messages"] == ["2 frames are damaged"]
    assert values["failures"][0]["reason"] == "is empty"


def test_times_need_a_zone() -> None:
    with pytest.raises(ConfigError, match="finished"):
        replace(MANIFEST, finished=datetime(2026, 5, 1))


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_arguments_must_be_json_and_a_failed_save_leaves_the_old_one(value: object, tmp_path: Path) -> None:
    MANIFEST.save(tmp_path / "table.csv")
    with pytest.raises(ConfigError, match="JSON"):
        replace(MANIFEST, arguments={"x": value}).save(tmp_path / "table.csv")
    assert RunManifest.load(tmp_path / "table.csv") == MANIFEST


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"absent.*table\.csv\.manifest\.json"):
        MANIFEST.save(tmp_path / "absent" / "table.csv")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"manifest_version": 3}', b'{"manifest_version": 1, "started": "soon"}', b"\xff"],
)
def test_a_damaged_or_newer_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    manifest_path(tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"table\.csv\.manifest\.json"):
        RunManifest.load(tmp_path / "table.csv")


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = MANIFEST.save(tmp_path / "table.csv")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "colour": "red"}))
    with pytest.raises(InputError, match="colour"):
        RunManifest.load(tmp_path / "table.csv")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.csv\.manifest\.json"):
        RunManifest.load(tmp_path / "table.csv")


def test_hash_of_a_file(tmp_path: Path) -> None:
    content = b"frame" * 100_000
    (tmp_path / "clip.mp4").write_bytes(content)
    assert hash_file(tmp_path / "clip.mp4") == hashlib.sha256(content).hexdigest()
    for path in (tmp_path, tmp_path / "absent.mp4"):
        with pytest.raises(InputError, match=path.name):
            hash_file(path)


# As mien wrote it when the landmark model was called "points".
OLD_MANIFEST = """{
  "manifest_version": 2,
  "bundle_name": "mien-light",
  "bundle_sha256": "d4e3f14e1d364e6ea7a2ddfa1043f748dd869fe5c6cad1437a9e95328271b2de",
  "arguments": {
    "inputs": ["clip.mp4"], "out": "t.parquet", "model": "mien-light", "detector": "mtcnn", "points": "mien-points",
    "runtime": "onnxruntime", "threads": null, "faces": "all", "every": 1, "start_s": null, "stop_s": 3.0,
    "smooth": null, "adaptive": null, "min_quality": 0.0, "landmarks": false, "overlay": null, "anonymous": false,
    "openface": null, "report": null, "report_frames": true, "workers": 1, "engine": "local",
    "points_sha256": "56b4273eb704917628301d87646fd9e2346fe8b3e83887937fafb58a8b944173"
  },
  "started": "2026-11-28T08:22:32Z",
  "finished": "2026-11-28T08:22:33Z",
  "inputs": [
    {
      "path": "clip.mp4", "kind": "video", "sha256": "95ee", "size_bytes": 208428, "n_frames_decoded": 72,
      "n_frames_lost": 0, "n_rows": 72, "n_faces": 72, "messages": [], "complete": true
    }
  ],
  "failures": [{"path": "gone.mp4", "reason": "gone.mp4: is not there", "error": "InputError"}],
  "mien_version": "0.1.0",
  "schema_version": 1,
  "stopped": false
}
"""


def test_a_manifest_of_an_earlier_version_is_read_under_the_current_names(tmp_path: Path) -> None:
    manifest_path(tmp_path / "t.parquet").write_text(OLD_MANIFEST)
    manifest = RunManifest.load(tmp_path / "t.parquet")
    assert manifest.arguments["landmark_model"] == "mien-points"
    assert manifest.arguments["landmark_model_sha256"].startswith("56b4")
    assert not [name for name in manifest.arguments if name.startswith("points")]
    assert (manifest.inputs[0].n_rows, manifest.inputs[0].whole) == (72, True)
    assert manifest.failures == (InputFailure(path="gone.mp4", reason="gone.mp4: is not there"),)
    manifest.save(tmp_path / "t.parquet")
    assert RunManifest.load(tmp_path / "t.parquet") == manifest


@pytest.mark.parametrize("gaps", ['[{"from_s": 1}]', "[3]", '[{"from_s": "a", "to_s": 2, "n_frames": 1}]', "4"])
def test_gaps_that_are_none_are_refused(tmp_path: Path, gaps: str) -> None:
    text = OLD_MANIFEST.replace('"complete": true', f'"complete": true, "gaps": {gaps}')
    manifest_path(tmp_path / "t.parquet").write_text(text)
    with pytest.raises(InputError, match="is no run manifest or is damaged"):
        RunManifest.load(tmp_path / "t.parquet")


def test_the_list_of_failures_is_kept_while_it_is_true(tmp_path: Path) -> None:
    there, gone = tmp_path / "a.mp4", tmp_path / "gone.mp4"
    there.touch()
    older = [FailureRow(str(path), "InputError", "is damaged") for path in (there, gone)]
    assert update_failures(tmp_path, older, []) == tmp_path / FAILURES_NAME
    assert read_failures(tmp_path) == older
    partly = replace(MANIFEST.inputs[0], path="b.mp4")
    new = failure_rows(MANIFEST.failures, [partly])
    update_failures(tmp_path, new, ["b.mp4"])
    assert read_failures(tmp_path) == [older[0], *new]
    assert new[1] == FailureRow("b.mp4", "PartlyDecoded", "2 of 100 frames lost (1.50 to 1.58 s); 2 frames are damaged")
    assert update_failures(tmp_path, [], [str(there), "b.mp4", "clips/caf\udce9.mp4"]) is None
    assert not (tmp_path / FAILURES_NAME).exists()


def test_a_list_that_is_not_miens_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / FAILURES_NAME).write_text("my,own,list\n1,2\n")
    with pytest.raises(OutputError, match=r"failures\.csv is not mien's list of failures"):
        update_failures(tmp_path, [FailureRow("a", "b", "c")], [])
    assert (tmp_path / FAILURES_NAME).read_text().startswith("my,own")
