# SPDX-License-Identifier: Apache-2.0
"""Texts of a report."""

from dataclasses import replace
from pathlib import Path

from mien.core import Faces
from mien.results import RunManifest, read_table
from mien.results.reports import report_texts as content
from mien.results.tables.recording import Recording
from tests.helpers.affect_tables import NOBODY, faces, write_frames


def recording_of(path: Path, frames: list[tuple[float, Faces]], source: str = "a.mp4", **metadata: str) -> Recording:
    return Recording.from_table(source, read_table(write_frames(path, {source: frames}, **metadata)))


def test_numbers_as_text() -> None:
    row = {"coverage": 0.834, "valence_mean": 0.081, "valence_sd": 0.5249, "arousal_mean": -0.2, "arousal_sd": None}
    assert content.coverage_text(row) == "83%"
    assert content.mean_text(row, "valence") == "+0.08 ± 0.52"
    assert content.mean_text(row, "arousal") == "\N{MINUS SIGN}0.20"
    assert content.mean_text({}, "valence") == content.coverage_text({"coverage": None}) == "\N{EN DASH}"
    assert content.most_text({"expression_fear_share": 0.3, "expression_anger_share": 0.52}) == "anger 52%"
    assert content.most_text({"expression_fear_share": 0.01}) == "\N{EN DASH}"


def test_the_faces_of_a_photo_by_number(tmp_path: Path) -> None:
    pair = replace(
        faces((-1, "fear", 0.5, 0.9), (-1, "anger", -0.25, 0.1)),
        boxes=[[50, 10, 60, 20], [5, 10, 15, 20.04]],
        quality=[0.9, 0.3],
        numbers=[2, 1],
    )
    found = content.photo_faces(recording_of(tmp_path / "t.parquet", [(0.0, pair)]), {"AU01": 0.5, "AU12": 0.5})
    assert found["n_hidden"] == 0
    first, second = found["faces"]
    assert first == {
        "number": 1,
        "box": [5, 10, 15, 20.0],
        "text": "anger 0.86",
        "affect": "V \N{MINUS SIGN}0.25, A +0.00",
        "units": [],
        "quality": "0.30",
        "doubtful": True,
    }
    assert (second["number"], second["units"]) == (2, ["AU12 lip corner puller 0.90"])
    assert not second["doubtful"]


def test_tables_without_the_column_face_are_numbered_from_the_left(tmp_path: Path) -> None:
    pair = replace(faces((-1, "fear", 0, 0), (-1, "anger", 0, 0)), boxes=[[50, 10, 60, 20], [5, 10, 15, 20]])
    recording = recording_of(tmp_path / "t.parquet", [(0.0, pair)])
    old = Recording.from_table("a.mp4", recording.table.drop_columns(["face"]))
    assert [face["text"] for face in content.photo_faces(old, {})["faces"]] == ["anger 0.86", "fear 0.86"]


def test_photos_of_a_crowd_and_of_nobody(tmp_path: Path) -> None:
    crowd = recording_of(tmp_path / "t.parquet", [(0.0, faces(*[(-1, "fear", 0.5, 0.1)] * 63))])
    found = content.photo_faces(crowd, {})
    assert (len(found["faces"]), found["n_hidden"]) == (60, 3)
    nobody = recording_of(tmp_path / "u.parquet", [(0.0, NOBODY)])
    assert content.photo_faces(nobody, {}) == {"faces": [], "n_hidden": 0}


def test_what_the_manifest_says_of_a_table(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 5, 1, tzinfo=UTC)
    table = tmp_path / "t.csv"
    assert content.manifest_facts(table)[1][0] == "manifest"
    manifest = RunManifest(
        bundle_name="tiny", bundle_sha256="ab" * 32, arguments={"every": 2, "smooth": None}, started=now, finished=now
    )
    manifest.save(table)
    facts = dict(content.manifest_facts(table))
    assert facts["model"] == "tiny (abababababab)"
    assert facts["arguments"] == "every 2"
