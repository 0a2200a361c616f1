# SPDX-License-Identifier: Apache-2.0
"""Faces that broke other tools: behind masks, of small children, and two of them in one place."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pil

import mien
from mien.core import Faces
from mien.media import VideoWriter
from mien.results import read_table

Pixels = npt.NDArray[np.uint8]
SAMPLE = Path(__file__).resolve().parents[2] / "docs/sample/two_faces.jpg"


@pytest.fixture(scope="module")
def analyzer() -> mien.Analyzer:
    return mien.Analyzer(threads=1)


@pytest.fixture(scope="module")
def portraits(astronaut: Pixels) -> dict[str, Pixels]:
    """Pictures of one smiling face, and of two rendered ones of which the right one smiles."""
    with Pil.open(SAMPLE) as image:
        rendered = np.asarray(image.convert("RGB"))
    return {"photo": np.ascontiguousarray(astronaut[0:240, 110:350]), "rendered": rendered}


def top(faces: Faces) -> list[str]:
    return [faces.expression_labels[column] for column in faces.expression.argmax(axis=1)]


def assert_whole(faces: Faces) -> None:
    """Every face has its box, points, pose, quality and affect, and no two faces are the same."""
    assert np.isfinite(faces.landmarks).all()
    assert np.isfinite(faces.pose_rad).all()
    assert ((faces.quality >= 0) & (faces.quality <= 1)).all()
    assert np.abs(faces.valence).max(initial=0) <= 1
    assert faces.expression.sum(axis=1) == pytest.approx(1, abs=1e-4)
    middles = faces.landmarks.mean(axis=1)
    assert ((middles > faces.boxes[:, :2]) & (middles < faces.boxes[:, 2:])).all()
    widths = faces.boxes[:, 2] - faces.boxes[:, 0]
    for first in range(len(faces)):
        for second in range(first):
            assert np.linalg.norm(middles[first] - middles[second]) > 0.3 * widths.min()


def masked(image: Pixels, faces: Faces) -> Pixels:
    """The picture with a mask of cloth from the bridge of each nose to the chin."""
    covered = image.copy()
    for points in faces.landmarks:
        cv2.fillPoly(covered, [np.concatenate([points[2:15], points[28:29]]).astype(np.int32)], (150, 190, 220))
    return covered


def like_a_child(image: Pixels) -> Pixels:
    """The picture with a larger upper half and a smaller lower one, as a small child's face is."""
    height, width = image.shape[:2]
    rows = np.interp(np.linspace(0, 1, height), [0, 0.55, 1], [0, 0.45, 1]) * (height - 1)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), rows.astype(np.float32))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR), np.uint8)


def blended(image: Pixels, other: Pixels) -> Pixels:
    return np.asarray((image.astype(np.uint16) + other) // 2, np.uint8)


@pytest.mark.parametrize("name", ["photo", "rendered"])
def test_a_masked_face_is_found_and_is_told_as_poor(
    analyzer: mien.Analyzer, portraits: dict[str, Pixels], name: str
) -> None:
    """Report 25."""
    plain = analyzer.image(portraits[name])
    faces = analyzer.image(masked(portraits[name], plain))
    assert len(faces) == len(plain) == {"photo": 1, "rendered": 2}[name]
    assert_whole(faces)
    assert (faces.quality <= 0.7).all()
    assert (faces.quality < plain.quality - 0.2).all()
    assert (faces.expression.max(axis=1) < plain.expression.max(axis=1) - 0.1).all()


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("name", ["photo", "rendered"])
def test_the_proportions_of_a_child_change_no_expression(
    analyzer: mien.Analyzer, portraits: dict[str, Pixels], name: str, scale: float
) -> None:
    """Report 25: large eyes and foreheads are no surprise."""
    image = cv2.resize(like_a_child(portraits[name]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    faces = analyzer.image(np.asarray(image, np.uint8))
    assert_whole(faces)
    assert top(faces) == {"photo": ["happiness"], "rendered": ["neutral", "happiness"]}[name]


def test_small_children_are_found_and_rarely_look_surprised(analyzer: mien.Analyzer, shared_data: Path) -> None:
    """Report 25: 37 real faces of up to two years."""
    path = shared_data / "fairface" / "val.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    table = pq.read_table(path, columns=["image", "age"], filters=[("age", "=", "0-2")])
    expressions: list[str] = []
    for content in table["image"].to_pylist():
        with Pil.open(io.BytesIO(content)) as image:
            faces = analyzer.image(np.asarray(image.convert("RGB")))
        assert_whole(faces)
        expressions += top(faces)[:1]
    assert len(expressions) >= 0.9 * table.num_rows
    assert expressions.count("surprise") <= 0.1 * len(expressions)


@pytest.mark.parametrize("name", ["photo", "rendered"])
def test_a_picture_blended_with_its_mirror_image(
    analyzer: mien.Analyzer, portraits: dict[str, Pixels], name: str
) -> None:
    """Report 28: as many poses as faces, and none twice."""
    image = portraits[name]
    faces = analyzer.image(blended(image, image[:, ::-1]))
    assert len(faces) == len(analyzer.image(image))
    assert_whole(faces)


@pytest.mark.parametrize("shift_px", range(0, 121, 10))
def test_two_faces_in_nearly_one_place_are_at_most_two(
    analyzer: mien.Analyzer, portraits: dict[str, Pixels], shift_px: int
) -> None:
    """Report 28: whatever is found is whole."""
    image = portraits["photo"]
    faces = analyzer.image(blended(image, np.roll(image, shift_px, axis=1)))
    assert len(faces) <= 2
    assert_whole(faces)
    if shift_px <= 10:
        assert len(faces) == 1


def test_a_face_that_covers_half_of_another_one(analyzer: mien.Analyzer, portraits: dict[str, Pixels]) -> None:
    """Report 28."""
    image = np.full((240, 400, 3), 120, np.uint8)
    for left in (0, 120):
        image[:, left : left + 240] = portraits["photo"]
    faces = analyzer.image(image)
    assert len(faces) == 2
    assert_whole(faces)


def test_faces_that_pass_each_other_keep_one_row_a_frame_each(portraits: dict[str, Pixels], tmp_path: Path) -> None:
    """Report 28, as a clip: poses and faces have the same number in every row."""
    image = portraits["photo"]
    with VideoWriter(tmp_path / "two.mp4", 240, 240, fps=25, threads=1) as writer:
        for number in range(24):
            writer.write(blended(image, np.roll(image, 120 - 10 * number, axis=1)), number / 25)
    mien.analyze(tmp_path / "two.mp4", tmp_path / "t.parquet", threads=1)
    table = read_table(tmp_path / "t.parquet")
    found = np.array(table["success"].to_pylist())
    assert set(table["frame"].to_pylist()) == set(range(24))
    for name in ("pitch_rad", "yaw_rad", "roll_rad", "quality", "valence", "AU12", "expression_happiness"):
        assert [value is not None for value in table[name].to_pylist()] == found.tolist()
    frames = [(row["frame"], row["track_id"]) for row in table.to_pylist() if row["success"]]
    assert len(frames) == len(set(frames))
