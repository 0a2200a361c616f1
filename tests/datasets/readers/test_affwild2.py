# SPDX-License-Identifier: Apache-2.0
"""Aff-Wild2 in all its spellings and editions."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSION_ORDERS
from mien.datasets import (
    ACTION_UNITS_8,
    ACTION_UNITS_12,
    AnnotationError,
    create_example,
    load_affwild2_au,
    load_affwild2_expr,
    load_affwild2_mtl,
    load_affwild2_va,
)


@pytest.mark.parametrize("spelling", ["EXPR_Recognition_Challenge", "EXPR_Classification_Challenge", "EXPR_Set"])
@pytest.mark.parametrize("train", ["Train_Set", "Training_Set", "train_set"])
@pytest.mark.parametrize("above", [".", "6th ABAW Annotations", "data/annotations"])
def test_every_spelling_of_the_folders_is_found(spelling: str, train: str, above: str, tmp_path: Path) -> None:
    folder = tmp_path / above / spelling / train
    folder.mkdir(parents=True)
    (folder / "video1.txt").write_text(",".join(EXPRESSION_ORDERS["affwild2_8"]).title() + "\n4\n")
    assert load_affwild2_expr(tmp_path, "train").expression.tolist() == [4]


def test_two_editions_in_one_folder_are_not_guessed_between(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    (tmp_path / "VA_Set/Training_Set").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="point at the folder of one edition"):
        load_affwild2_va(tmp_path, "train")


def test_the_edition_of_2020_has_seven_classes(tmp_path: Path) -> None:
    folder = tmp_path / "EXPR_Set/Validation_Set"
    folder.mkdir(parents=True)
    (folder / "video1.txt").write_text("Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\n6\n-1\n")
    samples = load_affwild2_expr(tmp_path, "valid")
    assert samples.expression_labels == EXPRESSION_ORDERS["affwild2_7"]
    assert samples.expression.tolist() == [6, -1]


def test_the_edition_of_2020_has_eight_action_units(tmp_path: Path) -> None:
    folder = tmp_path / "AU_Set/Training_Set"
    folder.mkdir(parents=True)
    (folder / "video1.txt").write_text("AU1,AU2,AU4,AU6,AU12,AU15,AU20,AU25\n0,0,0,0,1,0,0,1\n")
    samples = load_affwild2_au(tmp_path, "train")
    assert samples.action_unit_labels == ACTION_UNITS_8
    assert samples.action_units.tolist() == [[0, 0, 0, 0, 1, 0, 0, 1]]


def test_the_later_editions_have_twelve_action_units(tmp_path: Path) -> None:
    create_example("affwild2-au", tmp_path)
    assert load_affwild2_au(tmp_path, "valid").action_unit_labels == ACTION_UNITS_12


def test_crops_are_chosen_by_name(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    (tmp_path / "cropped/video59").mkdir(parents=True)
    (tmp_path / "cropped/video59/00002.jpg").touch()
    assert load_affwild2_va(tmp_path, "valid").has_image.tolist() == [True, True, True]
    samples = load_affwild2_va(tmp_path, "valid", crops="cropped")
    assert samples.has_image.tolist() == [False, True, False]
    assert samples.image_path(1) == tmp_path / "cropped/video59/00002.jpg"


def test_crops_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    with pytest.raises(AnnotationError, match="no such folder of crops"):
        load_affwild2_va(tmp_path, "valid", crops="cropped")


def test_files_of_the_operating_system_are_no_tracks(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    (tmp_path / "VA_Estimation_Challenge/Validation_Set/._video59.txt").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "cropped_aligned/video59/Thumbs.db").touch()
    samples = load_affwild2_va(tmp_path, "valid")
    assert samples.tracks == ("video59",)
    assert samples.n_crop_frames.tolist() == [3]


def test_a_bad_file_is_left_out_where_problems_are_collected(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    bad = tmp_path / "VA_Estimation_Challenge/Train_Set/1-30-640x360.txt"
    bad.write_text("valence,arousal\n0.1,7\n")
    problems: list[AnnotationError] = []
    samples = load_affwild2_va(tmp_path, "train", on_problem=problems.append)
    assert samples.tracks == ("1-30-640x360_left",)
    assert [(problem.path, problem.line, problem.field) for problem in problems] == [(bad, 2, 2)]


def test_a_split_of_bad_files_only_is_no_split(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    problems: list[AnnotationError] = []
    (tmp_path / "VA_Estimation_Challenge/Validation_Set/video59.txt").write_text("")
    with pytest.raises(AnnotationError, match="none of its 1 annotation files"):
        load_affwild2_va(tmp_path, "valid", on_problem=problems.append)
    assert [problem.reason for problem in problems] == ["is empty"]


def test_the_list_keeps_its_order_and_its_frame_numbers(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    samples = load_affwild2_mtl(tmp_path, "train")
    names = [samples.image_location(row) for row in range(len(samples))]
    assert names == ["video1/00001.jpg", "video1/00004.jpg", "video1_left/00002.jpg", "video7/00001.jpg"]
    assert samples.tracks == ("video1", "video1_left", "video7")
    assert samples.has_image.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(samples.valence_arousal[0], np.float32([0.5, 0.25]))
