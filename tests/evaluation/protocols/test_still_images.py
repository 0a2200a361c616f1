# SPDX-License-Identifier: Apache-2.0
"""RAF-DB, FER2013 and FER+ in their owners' layouts."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, ConfigError, Faces, InputError
from mien.datasets import AnnotationError, create_example
from mien.evaluation import BundleOnCrops, evaluate
from mien.media import load_image
from tests.helpers.open_face_sets import metrics_by_name


class GrayLevelAnalyzer:
    """Predicts the canonical expression whose number is the gray level of the image's first pixel over 20."""

    bundle_digest = "0" * 64
    spec = SimpleNamespace(name="levels")

    def crops(self, images: Sequence[Any]) -> Faces:
        pixels = [load_image(image) if isinstance(image, Path) else image for image in images]
        levels = np.array([int(np.asarray(image).reshape(-1)[0]) // 20 for image in pixels])
        return Faces(boxes=np.zeros((len(levels), 4)), expression=np.eye(8)[levels], expression_labels=EXPRESSIONS)


def levels_of(order: str, classes: Sequence[int]) -> list[int]:
    """Gray levels of images that `GrayLevelAnalyzer` predicts as these classes of an order."""
    return [20 * EXPRESSIONS.index(EXPRESSION_ORDERS[order][number]) + 5 for number in classes]


def write_rafdb(folder: Path, labels: Sequence[int], predicted: Sequence[int]) -> None:
    """Write test images (labels from 0) whose gray level says the predicted class."""
    rows = [f"test_{i:04d}.jpg {label + 1}" for i, label in enumerate(labels, 1)]
    (folder / "EmoLabel").mkdir(parents=True)
    (folder / "EmoLabel/list_patition_label.txt").write_text("\r\n".join(["train_00001.jpg 5", *rows, ""]))
    (folder / "Image/aligned").mkdir(parents=True)
    for i, level in enumerate(levels_of("raf_basic", predicted), 1):
        image = np.full((100, 100, 3), level, np.uint8)
        cv2.imwrite(str(folder / f"Image/aligned/test_{i:04d}_aligned.jpg"), image)


# Three of four happy, one of two sad, none of one fear: accuracy 4/7, mean recall (3/4 + 1/2 + 0) / 3.
LABELS, PREDICTED = [3, 3, 3, 3, 4, 4, 1], [3, 3, 3, 6, 4, 6, 6]


@pytest.mark.parametrize("place", ["", "basic"])
def test_rafdb_by_a_bundle(tmp_path: Path, place: str) -> None:
    write_rafdb(tmp_path / place, LABELS, PREDICTED)
    report = evaluate("rafdb", BundleOnCrops(GrayLevelAnalyzer()), tmp_path)  # type: ignore[arg-type]  # a fake
    metrics = metrics_by_name(report)
    assert (report.data, report.n_rows) == ("rafdb, test", 7)
    assert metrics["accuracy"].value == pytest.approx(4 / 7)
    assert metrics["mean recall"].value == pytest.approx((3 / 4 + 1 / 2) / 3)
    assert metrics["recall of happiness"].value == pytest.approx(3 / 4)
    # F1: happiness 6/7, sadness 2/3, the other five 0.
    assert metrics["macro F1"].value == pytest.approx((6 / 7 + 2 / 3) / 7)
    assert "recall of anger" not in metrics
    assert metrics["accuracy"].low <= metrics["accuracy"].value <= metrics["accuracy"].high


def test_rafdb_by_a_file_needs_no_image(tmp_path: Path) -> None:
    write_rafdb(tmp_path, LABELS, PREDICTED)
    for path in (tmp_path / "Image/aligned").iterdir():
        path.unlink()
    header = "image," + ",".join(EXPRESSION_ORDERS["raf_basic"])
    scores = np.eye(7)[PREDICTED]
    rows = [f"test_{i:04d}_aligned.jpg," + ",".join(map(str, row)) for i, row in enumerate(scores, 1)]
    file = tmp_path / "predictions.csv"
    file.write_text("\n".join([header, *rows]))
    assert metrics_by_name(evaluate("rafdb", file, tmp_path))["accuracy"].value == pytest.approx(4 / 7)
    file.write_text("\n".join([header, *rows[1:]]))
    with pytest.raises(InputError, match=r"no prediction for 1 annotated rows, the first is test_0001_aligned\.jpg"):
        evaluate("rafdb", file, tmp_path)


def test_rafdb_without_the_folders_about_list_and_images(tmp_path: Path) -> None:
    write_rafdb(tmp_path, LABELS, PREDICTED)
    (tmp_path / "EmoLabel/list_patition_label.txt").rename(tmp_path / "list_patition_label.txt")
    (tmp_path / "Image/aligned").rename(tmp_path / "aligned")
    report = evaluate("rafdb", BundleOnCrops(GrayLevelAnalyzer()), tmp_path)  # type: ignore[arg-type]  # a fake
    assert metrics_by_name(report)["accuracy"].value == pytest.approx(4 / 7)


def face_text(level: int) -> str:
    """A face of FER2013 of one gray level."""
    return " ".join([str(level)] * 48 * 48)


def write_fer2013(path: Path, rows: Sequence[tuple[int, int, str]]) -> None:
    """Write emotion, gray level and usage of each row."""
    lines = [f"{emotion},{face_text(level)},{usage}" for emotion, level, usage in rows]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]))


def test_fer2013_by_a_bundle(tmp_path: Path) -> None:
    sad, happy, angry = levels_of("fer2013", [4, 3, 0])
    rows = [(4, happy, "Training"), (4, sad, "PrivateTest"), (3, sad, "PrivateTest"), (0, angry, "PublicTest")]
    write_fer2013(tmp_path / "fer2013.csv", rows)
    bundle: Any = BundleOnCrops(GrayLevelAnalyzer())  # type: ignore[arg-type]  # a fake
    assert metrics_by_name(evaluate("fer2013", bundle, tmp_path))["accuracy"].value == 0.5
    assert metrics_by_name(evaluate("fer2013", bundle, tmp_path, "valid"))["recall of anger"].value == 1
    with pytest.raises(ConfigError, match="fer2013 evaluates train or valid or test"):
        evaluate("fer2013", bundle, tmp_path, "val")


_PLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def write_ferplus(folder: Path, *, usage: str = "PrivateTest") -> None:
    """Four rows, the second withdrawn: happy by both rules; sad by plurality only; contempt by both."""
    votes = ["0,9,1,0,0,0,0,0,0,0", "0,0,0,0,0,0,0,0,0,10", "3,0,0,4,3,0,0,0,0,0", "1,0,0,0,0,0,0,9,0,0"]
    names = ["fer0000000.png", "", "fer0000002.png", "fer0000003.png"]
    rows = [f"{usage},{name},{line}" for name, line in zip(names, votes, strict=True)]
    (folder / "fer2013new.csv").write_text("\n".join([_PLUS_HEADER, *rows]))


def test_ferplus_takes_the_faces_of_the_same_rows(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    happy, other, sad, contempt = levels_of("ferplus", [1, 6, 3, 7])
    write_fer2013(tmp_path / "fer2013.csv", [(0, level, "PrivateTest") for level in (happy, other, sad, contempt)])
    bundle: Any = BundleOnCrops(GrayLevelAnalyzer())  # type: ignore[arg-type]  # a fake
    report = evaluate("ferplus-csv", bundle, tmp_path)
    metrics = metrics_by_name(report)
    assert (metrics["accuracy, plurality"].value, metrics["accuracy, plurality"].n) == (1, 3)
    assert (metrics["accuracy, official majority"].value, metrics["accuracy, official majority"].n) == (1, 2)
    assert report.dropped == {"without a label, plurality": 0, "without a label, official majority": 1}
    # Image files come first where they exist.
    (tmp_path / "images/FER2013Test").mkdir(parents=True)
    for name in ("fer0000000", "fer0000002", "fer0000003"):
        cv2.imwrite(str(tmp_path / f"images/FER2013Test/{name}.png"), np.full((48, 48), happy, np.uint8))
    assert metrics_by_name(evaluate("ferplus-csv", bundle, tmp_path))["accuracy, plurality"].value == pytest.approx(
        1 / 3
    )


def test_ferplus_whose_faces_are_absent_or_of_other_rows_is_refused(tmp_path: Path) -> None:
    write_ferplus(tmp_path)
    bundle: Any = BundleOnCrops(GrayLevelAnalyzer())  # type: ignore[arg-type]  # a fake
    with pytest.raises(AnnotationError, match=r"no faces beside it: neither FER2013Test and the like nor fer2013\.csv"):
        evaluate("ferplus-csv", bundle, tmp_path)
    write_fer2013(tmp_path / "fer2013.csv", [(0, 5, "PrivateTest")] * 3)
    with pytest.raises(AnnotationError, match=r"has 4 rows, and fer2013\.csv has 3"):
        evaluate("ferplus-csv", bundle, tmp_path)
    usages = ["PrivateTest", "PrivateTest", "PublicTest", "PrivateTest"]
    write_fer2013(tmp_path / "fer2013.csv", [(0, 5, usage) for usage in usages])
    with pytest.raises(AnnotationError, match=r"Usage.*differs from that of the row in fer2013\.csv"):
        evaluate("ferplus-csv", bundle, tmp_path)


def test_the_default_bundle_on_each_set(tmp_path: Path) -> None:
    for name, example in (("rafdb", "rafdb"), ("fer2013", "fer2013"), ("ferplus-csv", "ferplus")):
        folder = tmp_path / name
        folder.mkdir()
        create_example(example, folder)
        report = evaluate(name, None, folder)
        assert (report.predictor, report.n_rows) == ("mien-light", 1)
        assert 0 <= report.metrics[0].value <= 1
