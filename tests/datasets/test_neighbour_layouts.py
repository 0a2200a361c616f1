# SPDX-License-Identifier: Apache-2.0
"""Every data set as its owners, archives and systems leave it: other spellings, nesting and stray files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.datasets import DATASETS, AnnotationError, check_dataset, create_example, load_dataset
from mien.datasets.text_files import Document, Field, first_rows, read_named

IN_FILES = [
    name for name in DATASETS if not name.startswith("open-") and name != "affectnet-c25"
]  # the others are Parquet files of mien's own layout


def _counts(name: str, folder: Path) -> dict[str, object]:
    report = check_dataset(name, folder)
    assert report.complete, report.problems
    return dict(report.splits)


@pytest.mark.parametrize("name", IN_FILES)
def test_stray_files_change_nothing(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    expected = _counts(name, tmp_path)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for folder in folders:
        for stray in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (folder / stray).write_bytes(b"\0\1")
    for file in files:  # what a Mac puts into archives
        (file.parent / f"._{file.name}").write_bytes(b"\0\5\26\7")
    mac = tmp_path / "__MACOSX"
    for folder in folders[1:]:
        (mac / folder.relative_to(tmp_path)).mkdir(parents=True, exist_ok=True)
    for file in files:
        place = mac / file.relative_to(tmp_path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(f"._{file.name}").write_bytes(b"\0\5\26\7")
    assert _counts(name, tmp_path) == expected


def _edit(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.suffix in (".txt", ".csv"):
                path.write_bytes(change(path.read_bytes()))

    return edit


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r\r\n"),
        lambda text: text + b"\n \n\n",
        lambda text: text.rstrip(b"\n"),
    ],
    ids=["byte-order mark", "CRLF", "CR CR LF", "blank lines at the end", "no last line end"],
)
@pytest.mark.parametrize("name", IN_FILES)
def test_line_ends_and_marks_change_nothing(name: str, change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    create_example(name, tmp_path)
    expected = _counts(name, tmp_path)
    _edit(change)(tmp_path)
    assert _counts(name, tmp_path) == expected


def _move(tree: Path, old: str, new: str) -> None:
    (tree / new).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(tree / old, tree / new)


LAYOUTS = [
    ("affwild2-va", "VA_Estimation_Challenge", "6th ABAW Annotations/va_estimation_challenge"),
    ("affwild2-va", "VA_Estimation_Challenge", "Valence Arousal Estimation Challenge"),
    ("affwild2-va", "VA_Estimation_Challenge/Validation_Set", "VA_Estimation_Challenge/val-set"),
    (
        "affwild2-va",
        "VA_Estimation_Challenge/Validation_Set/video59.txt",
        "VA_Estimation_Challenge/Validation_Set/video59.TXT",
    ),
    ("affwild2-va", "VA_Estimation_Challenge", "VA_Estimation_Challenge/VA_Estimation_Challenge"),
    (
        "affwild2-va",
        "ABAW_VA_test_set_sample.txt",
        "test_set/prediction_files_format/CVPR_6th_ABAW_VA_test_set_sample.txt",
    ),
    ("affwild2-va", "cropped_aligned/video59", "cropped_aligned_new_50_vids/video59"),
    ("affwild2-va", "cropped_aligned", "Cropped_Aligned"),
    ("affwild2-expr", "EXPR_Recognition_Challenge", "5th/EXPR_Classification_Challenge"),
    ("affwild2-au", "AU_Detection_Challenge", "AU_Set"),
    ("affwild2-mtl", "training_set_annotations.txt", "MTL_Challenge/train_set.txt"),
    ("affwild2-mtl", "validation_set_annotations.txt", "MTL_Challenge/validation_set.txt"),
    ("affwild2-mtl", "test_set_list.txt", "MTL_Challenge_test_set_release.txt"),
    ("cexpr", "cexpr_test_set.txt", "lists/CVPR_6th_ABAW_CE_test_set_sample.txt"),
    ("lsd", "lsd_test_data", "LSD_Test_Data"),
    ("lsd", "training_set_synthetic_images", "training_set_synthetic_images/training_set_synthetic_images"),
    ("lsd", "training_set_synthetic_images/FEAR", "training_set_synthetic_images/Fear"),
    ("emi", "valid_split.csv", "val_split.csv"),
    ("eri", "data_info.csv", "labels/Data_Info.csv"),
    ("affectnet", "Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images"),
    ("affectnet", "validation.csv", "Manually_Annotated_file_lists/validation.csv"),
    ("affectnet-npy", "val_set", "Val_Set"),
    ("affectnet-npy", "val_set/images/3.jpg", "val_set/images/3.png"),
    ("fer2013", "fer2013.csv", "fer2013/fer2013.csv"),
    ("fer2013", "fer2013.csv", "icml_face_data.csv"),
    ("ferplus", "fer2013new.csv", "FERPlus/fer2013new.csv"),
    ("ferplus", "images/FER2013Train", "Images/FER2013Train"),
    ("rafdb", "basic", "RAF-DB/basic"),
    ("rafdb", "basic/EmoLabel/list_patition_label.txt", "basic/EmoLabel/list_partition_label.txt"),
]


@pytest.mark.parametrize(("name", "old", "new"), LAYOUTS)
def test_official_folders_and_files_are_found_in_other_spellings(name: str, old: str, new: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    expected = _counts(name, tmp_path)
    moved = tmp_path / "moved"
    shutil.move(tmp_path / old, moved)
    _move(tmp_path, "moved", new)
    assert _counts(name, tmp_path) == expected


TEXTS = [
    ("emi", "train_split.csv", "Empathic Pain", "Empathic_Pain"),
    ("emi", "train_split.csv", "00000,", "00000 ,"),
    ("emi", "train_split.csv", "00001,0,", '"00001",0,'),
    ("emi", "train_split.csv", "00001,0,0.9,0.1,0,0.3,0.7", "00001,0,0.9,0.1,0,0.3,0.7\n00001,0,0.9,0.1,0,0.3,0.7"),
    ("eri", "data_info.csv", "Empathic-Pain", "Empathic Pain"),
    ("eri", "data_info.csv", "[00001]", "['00001']"),
    ("eri", "data_info.csv", "[00001]", "\"'00001'\""),
    ("eri", "data_info.csv", ",Val,", ",Validation,"),
    ("eri", "data_info.csv", ",Test,,,,,,,", ",Test,nan,nan,nan,nan,nan,nan,nan"),
    ("affectnet", "training.csv", "944/d.jpg,-1,-1,-1,-1,", "944/d.jpg,NULL,NULL,NULL,NULL,"),
    ("affectnet", "training.csv", "944/d.jpg,-1,-1,-1,-1,", "944/d.jpg,0,0,0,0,"),
    ("affectnet", "training.csv", "689/a.jpg", "689\\a.jpg"),
    ("fer2013", "fer2013.csv", "emotion,pixels,Usage", "Emotion, Pixels , usage"),
    ("ferplus", "fer2013new.csv", "Image name", "image_name"),
    ("rafdb", "basic/EmoLabel/list_patition_label.txt", "train_00001.jpg 5", "train_00001.jpg 5\ntrain_00001.jpg 5"),
    ("affwild2-expr", "EXPR_Recognition_Challenge/Train_Set/12-24-1920x1080.txt", "\n4\n", "\n4.0\n"),
    ("affwild2-mtl", "training_set_annotations.txt", "video1/00001.jpg", '"video1/00001.jpg"'),
    ("affwild2-mtl", "training_set_annotations.txt", "video1/00001.jpg", "./video1/00001.jpg"),
]


@pytest.mark.parametrize(("name", "file", "old", "new"), TEXTS)
def test_other_spellings_of_the_same_values_are_read_alike(
    name: str, file: str, old: str, new: str, tmp_path: Path
) -> None:
    create_example(name, tmp_path)
    expected = _counts(name, tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert _counts(name, tmp_path) == expected


def test_a_csv_of_affectnet_without_a_header_has_the_official_columns(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    before = load_dataset("affectnet", tmp_path, "train")
    path = tmp_path / "training.csv"
    path.write_text(path.read_text().partition("\n")[2])
    after = load_dataset("affectnet", tmp_path, "train")
    assert (after.names, after.expression.tolist()) == (before.names, before.expression.tolist())


REFUSED = [
    ("lsd", lambda tree: (tree / "training_set_synthetic_images/FEAR/3.jpg").unlink(), "holds no images"),
    ("lsd", lambda tree: _move(tree, "validation_set_real_images/FEAR", "FEAR"), "holds 0 folders for fear"),
    ("rafdb", lambda tree: _move(tree, "basic", "compound"), "compound part"),
    ("emi", _edit(lambda text: text.replace(b",", b";")), "separated by ';'"),
    ("emi", _edit(lambda text: text.replace(b"0.9", b"90")), "from 0 to 100"),
    (
        "affwild2-va",
        lambda tree: (tree / "b_VA_test.txt").write_text("image_location\na/00001.jpg\n"),
        "one of 2 lists",
    ),
    ("affwild2-va", _edit(lambda text: text.replace(b"video91_left/00001", b"video91_left/00000")), "frame number 0"),
]


@pytest.mark.parametrize(("name", "spoil", "words"), REFUSED)
def test_what_could_be_something_else_is_a_problem(
    name: str, spoil: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    create_example(name, tmp_path)
    spoil(tmp_path)
    problems = check_dataset(name, tmp_path).problems
    assert any(words in str(problem) for problem in problems), problems


def test_a_list_of_videos_is_no_list_of_frames_and_the_missing_one_is_named(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    (tmp_path / "ABAW_VA_test_set_sample.txt").rename(tmp_path / "elsewhere")
    (tmp_path / "VA_test_set_release.txt").write_text("video90\nvideo91_left\n")
    note = next(note for note in check_dataset("affwild2-va", tmp_path).notes if note.startswith("test: not read"))
    assert "VA_test_set_release.txt names no frames (image_location, then video/00001.jpg in each line)" in note
    with pytest.raises(AnnotationError, match="names no frames"):
        load_dataset("affwild2-va", tmp_path, "test")


def test_two_pictures_of_one_name_are_not_shared_and_two_copies_are(tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    other = tmp_path / "validation_set_real_images/FEAR/3.jpg"
    (tmp_path / "training_set_synthetic_images/FEAR").rename(tmp_path / "training_set_synthetic_images/Fear")
    (tmp_path / "validation_set_real_images/FEAR").rename(tmp_path / "validation_set_real_images/Fear")
    first = next((tmp_path / "training_set_synthetic_images/Fear").iterdir())
    other = tmp_path / "validation_set_real_images/Fear" / first.name
    other.write_bytes(first.read_bytes() + b"\0")
    assert not any("share" in note for note in check_dataset("lsd", tmp_path).notes)
    other.write_bytes(first.read_bytes())
    assert any(f"share 1 videos or images: Fear/{first.name}" in note for note in check_dataset("lsd", tmp_path).notes)


def test_lost_zeros_and_repeated_lines_are_noted(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    path = tmp_path / "train_split.csv"
    path.write_text(path.read_text().replace("00001,", "1,").replace("00000,", "0,"))
    assert any("names such as 0 have lost their leading zeros" in note for note in check_dataset("emi", tmp_path).notes)
    table, note = first_rows(read_named(Document(path, b"a\n1\n1\n1\n2"), [Field("a")]))
    assert table.numbers(("a",)).ravel().tolist() == [1, 2]
    assert note == "2 lines of train_split.csv repeat earlier ones and are left out"
    with pytest.raises(AnnotationError, match="line 5"):
        table.classes("a", low=0, high=1)
