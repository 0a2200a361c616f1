# SPDX-License-Identifier: Apache-2.0
"""The landmark teacher's script, with a fake teacher: images in, geometry, and a file that mien reads."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.landmarks import landmark_teacher
from mien.datasets import load_teacher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    for name, value in (("b.png", 10), ("deeper/a.jpg", 200)):
        cv2.imwrite(str(tmp_path / "in" / name), np.full((120, 100, 3), value, np.uint8))
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    return tmp_path / "in"


class FakeTeacher:
    """Finds a face with one raised blendshape in every bright image."""

    def __init__(self, _: Path) -> None:
        self.blendshapes: list[str] = []

    def __call__(self, name: str, picture: np.ndarray) -> dict[str, object]:
        if picture.mean() < 100:
            return {"name": name, "found": False, "blendshapes": None, "points": None, "matrix": None}
        self.blendshapes = ["_neutral", "jawOpen"]
        return {
            "name": name,
            "found": True,
            "blendshapes": np.array([0.0, 0.5], np.float16),
            "points": np.linspace(0, 1, 136).astype(np.float16),
            "matrix": np.eye(4, dtype=np.float32).ravel(),
        }


@pytest.fixture
def labels(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(landmark_teacher, "Teacher", FakeTeacher)
    out = tmp_path / "labels.parquet"
    (tmp_path / "model.task").touch()
    arguments = [str(folder), "--model", str(tmp_path / "model.task"), "--out", str(out)]
    assert landmark_teacher.main(arguments) == 1  # some could not be read
    return out


def test_the_labels_are_what_mien_reads(labels: Path) -> None:
    answers = load_teacher(labels, ("b.png", "broken.jpg", "deeper/a.jpg", "empty.png"))
    assert answers.found.tolist() == [False, False, True, False]
    assert answers.blendshape_names == ("_neutral", "jawOpen")
    assert answers.blendshapes[2, 1] == 0.5
    assert answers.landmarks[2, -1].tolist() == pytest.approx([134 / 135, 1], abs=1e-3)
    assert np.isnan(answers.landmarks[0]).all()
    assert pq.read_table(labels)["matrix"].to_pylist()[2][:2] == [1, 0]
    assert [path.name for path in labels.parent.glob("*.part")] == []


def test_pictures_of_a_table_are_read_in_order(tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": ["x", "y"], "image": [b"1", b"2"]}), tmp_path / "set.parquet")
    assert list(landmark_teacher.encoded_images(tmp_path / "set.parquet")) == [("x", b"1"), ("y", b"2")]


def test_points_come_back_from_the_border() -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    shown = landmark_teacher.frame(tiny, landmark_teacher.framing(48, 48))
    assert shown.shape == (288, 288, 3)
    corners = np.array([[48 / 288, 48 / 288], [240 / 288, 240 / 288], [0, 0]])
    expected = [[0, 0], [1, 1], [-0.25, -0.25]]
    assert landmark_teacher.unframed(corners, 288, 288, 48) == pytest.approx(np.array(expected))
    assert landmark_teacher.framing(160, 160) == landmark_teacher.Framing(0, 24)


def test_every_point_has_a_vertex_of_its_own() -> None:
    assert len(set(landmark_teacher.MESH_OF_68)) == 68


def test_nothing_to_label_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(landmark_teacher, "Teacher", FakeTeacher)
    (tmp_path / "none").mkdir()
    (tmp_path / "model.task").touch()
    out = tmp_path / "labels.parquet"
    assert (
        landmark_teacher.main([str(tmp_path / "none"), "--model", str(tmp_path / "model.task"), "--out", str(out)]) == 3
    )
    assert (
        landmark_teacher.main([str(tmp_path / "gone"), "--model", str(tmp_path / "model.task"), "--out", str(out)]) == 3
    )
    assert "gone: no such file" in capsys.readouterr().err
    assert not out.exists()
