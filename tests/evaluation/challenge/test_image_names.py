# SPDX-License-Identifier: Apache-2.0
"""Images found by their paths: names that repeat in other folders are never guessed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSIONS, InputError
from mien.datasets import create_example, load_dataset
from mien.evaluation import PREDICTION_FORMATS, PredictionFile, TablePredictor
from mien.evaluation.challenge.image_names import ImageNames
from mien.evaluation.protocols import challenges
from tests.helpers.submission_data import NOBODY, random_faces, write_table


def test_the_longest_common_end_decides() -> None:
    names = ImageNames(["a/x/1.jpg", "b/x/1.jpg", "b/y/1.jpg"], "tables", Path("b"))
    assert names.find("x/1.jpg") == "b/x/1.jpg"
    assert names.find("y/1.jpg") == "b/y/1.jpg"
    assert names.find("z/2.jpg") is None
    assert names.find("") is None


@pytest.mark.parametrize("path", ["FEAR\\1.jpg", "./FEAR/1.jpg", "/data/set/FEAR/1.jpg", "1.jpg", "copies/1.jpg"])
def test_a_path_may_be_longer_or_shorter_or_a_copy(path: str) -> None:
    assert ImageNames([path], "tables").find("FEAR/1.jpg") == path


def test_what_may_be_several_images_is_refused() -> None:
    with pytest.raises(InputError, match=r"may be a/1.jpg or b/1.jpg"):
        ImageNames(["b/1.jpg", "a/1.jpg"], "tables").find("1.jpg")
    flat = ImageNames(["1.jpg"], "tables")
    assert flat.find("a/1.jpg") == "1.jpg"
    with pytest.raises(InputError, match=r"1.jpg may be a/1.jpg or b/1.jpg"):
        flat.find("b/1.jpg")


def test_the_images_of_another_folder_of_the_set_do_not_stand_for_these(tmp_path: Path) -> None:
    for name in ("train", "valid"):
        (tmp_path / name).mkdir()
    assert ImageNames(["set/train/FEAR/1.jpg"], "tables", tmp_path / "valid").find("FEAR/1.jpg") is None
    assert ImageNames(["set/valid/FEAR/1.jpg"], "tables", tmp_path / "valid").find("FEAR/1.jpg") is not None
    assert ImageNames(["set/other/FEAR/1.jpg"], "tables", tmp_path / "valid").find("FEAR/1.jpg") is not None


@pytest.fixture
def repeated(tmp_path: Path) -> Path:
    """The example of LSD with an image ``same.jpg`` in every class of both sets."""
    create_example("lsd", tmp_path)
    for first in sorted(tmp_path.glob("*_images/*/*.jpg")):
        (first.parent / "same.jpg").write_bytes(first.read_bytes())
    return tmp_path


def _perfect(data: Path, split: str) -> tuple[list[str], list[str]]:
    samples = load_dataset("lsd", data, split)
    names = [f"{samples.folder}/{name}" for name in samples.names]
    return names, [samples.expression_labels[index] for index in samples.expression]


def _table(path: Path, names: list[str], labels: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    faces = []
    for name, label in zip(names, labels, strict=True):
        one = random_faces(np.random.default_rng(0), [-1])
        faces.append((name, 0, replace(one, expression=np.eye(8)[[EXPRESSIONS.index(label)]])))
    write_table(path, faces)
    return path.parent


def test_perfect_predictions_score_one_where_names_repeat(repeated: Path) -> None:
    names, labels = _perfect(repeated, "valid")
    tables = _table(repeated / "tables/t.parquet", names, labels)
    report = challenges.evaluate_lsd(TablePredictor([tables]), repeated)
    assert [metric.value for metric in report.metrics[:2]] == [1, 1]
    code = {label: index for index, label in enumerate(load_dataset("lsd", repeated, "valid").expression_labels)}
    for kept in (1, 2, 3):  # class and file, also with the folder above them, in either spelling
        ends = ["/".join(name.split("/")[-min(kept + 1, 3) :]) for name in names]
        rows = [f"{end},{code[label]}" for end, label in zip(ends, labels, strict=True)]
        rows = [row.replace("/", "\\") for row in rows] if kept == 3 else rows
        path = repeated / "p.csv"
        path.write_text("\n".join([PREDICTION_FORMATS["lsd"].header_line, *rows]))
        report = challenges.evaluate_lsd(PredictionFile(path), repeated)
        assert report.metrics[0].value == 1


def test_predictions_of_the_training_images_are_not_taken_for_the_others(repeated: Path) -> None:
    tables = _table(repeated / "tables/t.parquet", *_perfect(repeated, "train"))
    with pytest.raises(InputError, match="no table has the video"):
        challenges.evaluate_lsd(TablePredictor([tables]), repeated)


def test_an_image_without_a_face_is_left_out_and_counted(repeated: Path) -> None:
    names, labels = _perfect(repeated, "valid")
    tables = _table(repeated / "tables/t.parquet", names[1:], labels[1:])
    write_table(repeated / "tables/nobody.parquet", [(names[0], 0, NOBODY)])
    report = challenges.evaluate_lsd(TablePredictor([tables]), repeated)
    assert report.metrics[0].n == len(names) - 1
    assert report.coverage is not None
    assert (report.coverage.n_with_face, report.coverage.without_face) == (11, ("ANGER/real_anger.jpg",))
