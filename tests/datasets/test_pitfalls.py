# SPDX-License-Identifier: Apache-2.0
"""Known pitfalls of the ABAW data sets that readers must handle."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, columns_by_name
from mien.datasets import (
    DATASETS,
    AnnotationError,
    base_video,
    create_example,
    load_affectnet,
    load_affectnet_npy,
    load_affwild2_au,
    load_affwild2_expr,
    load_affwild2_mtl,
    load_affwild2_va,
    load_dataset,
    load_emi,
    load_eri,
)
from mien.media import load_image, save_image


def test_pitfall_a_row_is_invalid_if_either_of_valence_and_arousal_is(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_affwild2_va(tmp_path, "train")
    first = samples.track_index == 0
    assert samples.valid_valence_arousal[first].tolist() == [True, False, True, False]  # -5,-5 and -5,0.1
    assert np.isnan(samples.valence_arousal[first][3]).all()


def test_pitfall_a_row_is_invalid_if_any_action_unit_is(tmp_path: Path) -> None:
    create_example("affwild2-au", tmp_path)
    samples = load_affwild2_au(tmp_path, "train")
    assert samples.valid_action_units.tolist() == [True, False, False, True]
    assert samples.action_units[2].tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, -1]  # what is known stays known


def test_pitfall_masks_are_booleans_that_select(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    samples = load_affwild2_mtl(tmp_path, "train")
    assert samples.valid_valence_arousal.tolist() == [True, False, True, False]
    assert samples.valid_expression.tolist() == [True, True, False, False]
    assert samples.valid_action_units.tolist() == [True, False, True, False]
    chosen = samples.take(samples.valid_expression)
    assert chosen.expression.tolist() == [4, 0]


def test_pitfall_line_i_is_frame_i_from_1(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_affwild2_va(tmp_path, "train")
    row = int(np.flatnonzero(samples.frame == 3)[0])
    np.testing.assert_allclose(samples.valence_arousal[row], [0.5, 0.75])  # the third line below the header
    assert samples.image_path(row) == tmp_path / "cropped_aligned/1-30-640x360/00003.jpg"
    assert samples.frame.min() == 1


def test_pitfall_frames_without_a_crop_keep_their_row(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_affwild2_va(tmp_path, "train")
    assert len(samples) == 6
    assert samples.has_image.tolist() == [True, False, True, True, False, True]
    assert any("2 of 6 frames have no crop" in note for note in samples.notes())


def test_pitfall_left_and_right_are_tracks_of_one_video(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_affwild2_va(tmp_path, "train")
    assert samples.tracks == ("1-30-640x360", "1-30-640x360_left")
    assert samples.groups() == {"1-30-640x360"}
    assert [len(rows) for _, rows in samples.track_rows()] == [4, 2]
    assert base_video("12-24-1920x1080_right") == "12-24-1920x1080"
    assert base_video("left_video") == "left_video"


def test_pitfall_counts_may_differ_by_one(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_affwild2_va(tmp_path, "train")
    assert samples.n_crop_frames.tolist() == [5, 2]  # five crops for four lines
    assert len(samples) == 6
    assert any("beyond their last line: 1-30-640x360 (+1)" in note for note in samples.notes())


def test_pitfall_emi_names_are_text(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    assert load_emi(tmp_path, "train").names == ("00000", "00001")


def test_pitfall_emi_splits_come_from_their_own_files(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    assert load_emi(tmp_path, "valid").names == ("08072",)
    assert load_emi(tmp_path, "test").names == ("12660", "12661")
    assert not load_emi(tmp_path, "test").valid_intensities.any()


@pytest.mark.parametrize("wrapped", ["[00001]", "'00001'", '"00001"', '"[00001]"', "00001"])
def test_pitfall_eri_names_lose_their_brackets_and_nothing_else(wrapped: str, tmp_path: Path) -> None:
    create_example("eri", tmp_path)
    path = tmp_path / "data_info.csv"
    path.write_text(path.read_text().replace("[00001]", wrapped))
    assert load_eri(tmp_path, "train").names == ("00001",)


def test_pitfall_affectnet_images_without_rating_have_no_valence(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    samples = load_affectnet(tmp_path, "train")
    assert samples.valid_valence_arousal.tolist() == [True, True, False, True]
    create_example("affectnet-npy", tmp_path / "npy")
    assert load_affectnet_npy(tmp_path / "npy", "train").valid_valence_arousal.tolist() == [True, False]


@pytest.mark.parametrize("name", DATASETS)
def test_pitfall_readers_hand_out_paths_and_decode_nothing(name: str, tmp_path: Path) -> None:
    # The order of channels is decided where an image is decoded: a reader that opened images could get it wrong.
    create_example(name, tmp_path)
    split = DATASETS[name].splits[0]
    counts = load_dataset(name, tmp_path, split).counts()
    for path in tmp_path.rglob("*.[jp][pn]g"):
        path.write_bytes(b"not an image")
    assert load_dataset(name, tmp_path, split).counts() == counts


def test_pitfall_the_path_of_a_row_is_decoded_as_rgb(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    path = load_affwild2_expr(tmp_path, "train").image_path(0)
    save_image(path, np.full((16, 16, 3), (250, 120, 5), np.uint8))
    np.testing.assert_allclose(load_image(path)[8, 8], (250, 120, 5), atol=4)


def test_pitfall_classes_carry_their_names_and_are_mapped_by_them(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    samples = load_affwild2_expr(tmp_path, "train")
    assert samples.expression_labels == EXPRESSION_ORDERS["affwild2_8"]
    assert samples.expression_labels[samples.expression[1]] == "happiness"
    shared = columns_by_name(samples.expression_labels, [name for name in EXPRESSIONS if name != "contempt"])
    assert shared.tolist() == [0, 4, 6, 5, 1, 2, 3]


def test_pitfall_editions_of_seven_and_eight_classes_are_not_mixed(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    old = tmp_path / "EXPR_Recognition_Challenge/Train_Set/video9.txt"
    old.write_text("Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\n0\n")
    with pytest.raises(AnnotationError, match="keep editions apart"):
        load_affwild2_expr(tmp_path, "train")


def test_pitfall_nothing_is_unpickled(tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    path = next((tmp_path / "train_set/annotations").glob("*_exp.npy"))
    np.save(path, np.array({"code": "runs when unpickled"}, dtype=object), allow_pickle=True)
    with pytest.raises(AnnotationError, match="items of type object"):
        load_affectnet_npy(tmp_path, "train")
