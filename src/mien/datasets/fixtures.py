# SPDX-License-Identifier: Apache-2.0
"""Writers of small trees in the exact form of each data set, with synthetic labels and plain gray images.

They let tests and new code run without access to the data. Each writer covers the oddities of its format: several
tracks of one video, gaps in the crops, rows without annotation, counts that differ by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS
from mien.datasets.open_sets.face_parquet import VOTES
from mien.media import save_image

_EXPR_HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
_AU_HEADER = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
_MTL_HEADER = "image,valence,arousal,expression,aus"
_CE_HEADER = (
    "Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,Angrily_Surprised,"
    "Sadly_Fearful,Sadly_Angry"
)
_EMI_HEADER = "Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy"
_ERI_HEADER = "File_ID,Country,Split,Adoration,Amusement,Anxiety,Disgust,Empathic-Pain,Fear,Surprise"
_AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)
_FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def write_affwild2_va(folder: Path) -> None:
    """Write ``VA_Estimation_Challenge``: 2 training tracks of one video, 1 validation track, a test list."""
    task = folder / "VA_Estimation_Challenge"
    _write(task / "Train_Set/1-30-640x360.txt", "valence,arousal", ["0.1,-0.25", "-5,-5", "0.5,0.75", "-5,0.1"])
    _write(task / "Train_Set/1-30-640x360_left.txt", "valence,arousal", ["-1,1", "0,0"])
    _write(task / "Validation_Set/video59.txt", "valence,arousal", ["0.031,-0.5", "0.2,0.3", "-0.9,0.8"])
    _write_crops(folder / "cropped_aligned/1-30-640x360", (1, 3, 4, 5))  # no face in frame 2, one frame too many
    _write_crops(folder / "cropped_aligned/1-30-640x360_left", (2,))
    _write_crops(folder / "cropped_aligned/video59", (1, 2, 3))
    _write_test_list(folder, "VA", "valence,arousal")


def write_affwild2_expr(folder: Path) -> None:
    """Write ``EXPR_Recognition_Challenge``, 8 classes: 2 training tracks of one video, 1 validation track, a list."""
    task = folder / "EXPR_Recognition_Challenge"
    _write(task / "Train_Set/12-24-1920x1080.txt", _EXPR_HEADER, ["0", "4", "-1", "7", "6"])
    _write(task / "Train_Set/12-24-1920x1080_right.txt", _EXPR_HEADER, ["1", "2", "3"])
    _write(task / "Validation_Set/24-30-1920x1080.txt", _EXPR_HEADER, ["5", "-1", "0"])
    _write_crops(folder / "cropped_aligned/12-24-1920x1080", (1, 2, 4, 5))
    _write_crops(folder / "cropped_aligned/12-24-1920x1080_right", (1, 2, 3))
    _write_crops(folder / "cropped_aligned/24-30-1920x1080", (1, 2))
    _write_test_list(folder, "EXPR", _EXPR_HEADER)


def write_affwild2_au(folder: Path) -> None:
    """Write ``AU_Detection_Challenge``, 12 action units: 1 training track, 1 validation track, a test list."""
    task = folder / "AU_Detection_Challenge"
    rows = ["1,0,0,1,0,0,1,0,0,0,1,0", "-1," * 11 + "-1", "1,0,0,1,0,0,1,0,0,0,1,-1", "0," * 11 + "0"]
    _write(task / "Train_Set/10-60-1280x720.txt", _AU_HEADER, rows)
    _write(task / "Validation_Set/video2.txt", _AU_HEADER, rows[:1])
    _write_crops(folder / "cropped_aligned/10-60-1280x720", (1, 2, 3))
    _write_crops(folder / "cropped_aligned/video2", (1,))
    _write_test_list(folder, "AU", _AU_HEADER)


def write_affwild2_mtl(folder: Path) -> None:
    """Write the two lists with 5 names for 16 fields, and the test list of ABAW 7 with a comma after each name."""
    units = "0,1,0,0,1,0,0,1,0,0,1,0"
    unknown = ",".join(["-1"] * 12)
    rows = [
        f"video1/00001.jpg,0.5,0.25,4,{units}",
        f"video1/00004.jpg,-5,-5,0,{unknown}",
        f"video1_left/00002.jpg,-0.5,0.1,-1,{units}",
        f"video7/00001.jpg,0.1,-5.0,-1,{units[:-1]}-1",
    ]
    _write(folder / "training_set_annotations.txt", _MTL_HEADER, rows)
    _write(folder / "validation_set_annotations.txt", _MTL_HEADER, [f"video9/00003.jpg,0.9,0.8,7,{units}"])
    _write(folder / "test_set_list.txt", _MTL_HEADER, ["video20/00001.jpg,", "video20/00002.jpg,"])
    _write_crops(folder / "cropped_aligned/video1", (1,))
    _write_crops(folder / "cropped_aligned/video1_left", (2,))
    _write_crops(folder / "cropped_aligned/video7", (1,))
    _write_crops(folder / "cropped_aligned/video9", (3,))


def write_lsd(folder: Path) -> None:
    """Write a folder per expression, the first spelled ``ANGRER`` in training and ``ANGER`` in validation."""
    names = ("DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE")
    for number, name in enumerate(("ANGRER", *names), start=1):
        _write_image(folder / f"training_set_synthetic_images/{name}/{number}.jpg")
    for name in ("ANGER", *names):
        _write_image(folder / f"validation_set_real_images/{name}/real_{name.lower()}.jpg")
    _write_image(folder / "lsd_test_data/00001.jpg")


def write_cexpr(folder: Path) -> None:
    """Write a list of frames without labels, and a re-annotation in the form of Aff-Wild2."""
    _write(folder / "cexpr_test_set.txt", f"image_location,{_CE_HEADER}", ["01/00001.jpg", "01/00002.jpg"])
    _write(folder / "annotations/02.txt", _CE_HEADER, ["0", "-1", "6", "1"])
    _write_crops(folder / "cropped_aligned/01", (1,))
    _write_crops(folder / "cropped_aligned/02", (1, 2, 3, 4))


def write_emi(folder: Path) -> None:
    """Write the splits as CSV files with zero-padded names; test rows have names only."""
    _write(folder / "train_split.csv", _EMI_HEADER, ["00000,0.1,0,0,0.25,1,0.5", "00001,0,0.9,0.1,0,0.3,0.7"])
    _write(folder / "valid_split.csv", _EMI_HEADER, ["08072,0.2,0.2,0.2,0.2,0.2,0.2"])
    _write(folder / "test_split.csv", "Filename", ["12660", "12661"])


def write_eri(folder: Path) -> None:
    """Write ``data_info.csv`` with bracketed names and blank targets in the test split."""
    rows = [
        "[00001],South Africa,Train,0.5,0.1,0,0,0.25,0,1",
        "[00002],United States,Val,0,0,0.75,0.1,0,0.3,0",
        "[00003],United States,Test,,,,,,,",
    ]
    _write(folder / "data_info.csv", _ERI_HEADER, rows)


def write_affectnet(folder: Path) -> None:
    """Write two CSV files with 68 landmarks as text, and the images that they name."""
    landmarks = ";".join(["10.5"] * 136)
    rows = {
        "training.csv": [
            f"689/a.jpg,134,134,899,899,{landmarks},1,0.78,0.25",
            f"392/b.jpg,10,20,100,120,{landmarks},7,-0.5,0.1",
            f"468/c.jpg,0,0,50,50,{landmarks},10,-2,-2",
            f"944/d.jpg,-1,-1,-1,-1,{landmarks},6,-0.3,0.6",
        ],
        "validation.csv": [f"668/e.JPG,12,12,80,80,{landmarks},0,0,0"],
    }
    for name, lines in rows.items():
        _write(folder / name, _AFFECTNET_HEADER, lines)
        for line in lines:
            _write_image(folder / "Manually_Annotated_Images" / line.partition(",")[0])


def write_affectnet_npy(folder: Path) -> None:
    """Write ``train_set`` and ``val_set`` with arrays of text of different lengths, as in the release."""
    for split, rows in {
        "train_set": [("0", "1", "0.5", "0.25"), ("12", "7", "-0.123", "-2")],
        "val_set": [("3", "0", "0", "0")],
    }.items():
        for name, *values in rows:
            _write_image(folder / split / f"images/{name}.jpg")
            (folder / split / "annotations").mkdir(exist_ok=True)
            for ending, value in zip(("exp", "val", "aro"), values, strict=True):
                np.save(folder / split / f"annotations/{name}_{ending}.npy", np.array(value))
            np.save(folder / split / f"annotations/{name}_lnd.npy", np.zeros(136))


def write_fer2013(folder: Path) -> None:
    """Write ``fer2013.csv``: 48 x 48 gray values as quoted text."""
    face = " ".join(str(i % 256) for i in range(48 * 48))
    usages = ("Training", "Training", "PublicTest", "PrivateTest")
    rows = [f'{emotion},"{face}",{usage}' for emotion, usage in enumerate(usages)]
    _write(folder / "fer2013.csv", "emotion,pixels,Usage", rows)


def write_ferplus(folder: Path) -> None:
    """Write ``fer2013new.csv`` with one withdrawn row (blank name), and the images as files."""
    rows = [
        "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
        "Training,,0,0,0,0,0,0,0,0,0,10",
        "Training,fer0000002.png,0,1,2,0,0,0,0,0,7,0",
        "PublicTest,fer0000003.png,0,10,0,0,0,0,0,0,0,0",
        "PrivateTest,fer0000004.png,0,0,0,0,0,1,0,9,0,0",
    ]
    _write(folder / "fer2013new.csv", _FERPLUS_HEADER, rows)
    folders = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    for usage, name in (row.split(",")[:2] for row in rows):
        if name:
            _write_image(folder / "images" / folders[usage] / name)


def write_rafdb(folder: Path) -> None:
    """Write ``basic`` with the list (labels from 1) and aligned images."""
    rows = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7"]
    _write(folder / "basic/EmoLabel/list_patition_label.txt", rows[0], rows[1:])  # the file has no header
    for row in rows:
        _write_image(folder / "basic/Image/aligned" / row.split()[0].replace(".jpg", "_aligned.jpg"))


def write_person_folders(folder: Path) -> None:
    """Write ``train`` with a folder for each of two persons, and VGGFace2's list of face boxes."""
    names = [f"n00000{person}/{number:04d}_01" for person in (2, 3) for number in range(1, 12)]
    for name in names:
        _write_image(folder / "train" / f"{name}.jpg")
    rows = [f'"{name}",4,4,8,8' for name in names]
    _write(folder / "bb_landmark/loose_bb_train.csv", "NAME_ID,X,Y,W,H", rows)


def write_morphset(folder: Path) -> None:
    """Write ``MorphSet.csv``: two faces of each of ten persons, with landmarks in pixels."""
    names = ["Filename", "Dataset", "Subject", "Emotion Label", "Agreement", "Arousal", "Valence", "Intensity"]
    header = ",".join([*names, *(f"{axis}{number}" for axis in "xy" for number in range(68))])
    rng = np.random.default_rng(1)
    rows = []
    for person in range(1, 11):
        for emotion, arousal, valence in (("Happy", 0.25, 0.75), ("Sad", -0.5, -0.5)):
            intensity = (arousal**2 + valence**2) ** 0.5
            labels = f"{person}_{emotion}.png,made,{person},{emotion},1,{arousal},{valence},{intensity:.4f}"
            rows.append(",".join([labels, *(f"{value:.1f}" for value in rng.uniform(50, 250, 136))]))
    _write(folder / "MorphSet.csv", header, rows)


def write_utterances(folder: Path) -> None:
    """Write ``utterances.csv`` with any subset of labels, and features of two modalities, one of them missing once."""
    rows = [
        "u1,train,ann,Oh great,joy|sadness,0.5,1,",
        "u2,train,ann,I like it,joy,0.75,,",
        'u3,train,bob,"No, not again",sadness,-0.5,0,vision',
        "u4,valid,cid,Fine!,joy,0.25,0,",
        "u5,valid,cid,Leave me alone...,sadness,-1,1,",
        "u6,test,dora,Hm,,,,",
    ]
    _write(folder / "utterances.csv", "id,split,speaker,text,emotion,sentiment,sarcasm,missing", rows)
    rng = np.random.default_rng(1)
    for modality, n in (("audio", 4), ("vision", 3)):
        place = folder / "features" / modality
        place.mkdir(parents=True, exist_ok=True)
        for number in range(1, 7):
            if (modality, number) != ("vision", 3):
                np.save(place / f"u{number}.npy", rng.normal(size=(2 + number, n)).astype(np.float32))


def write_open_ferplus(folder: Path) -> None:
    """Write ``ferplus``: ten vote columns; most votes of the last row are for "unknown"."""
    for split, n in (("train", 3), ("valid", 2)):
        votes = {name: [0] * n for name in VOTES}
        votes["happiness"] = [10] * (n - 1) + [3]
        votes["unknown"] = [0] * (n - 1) + [7]
        _write_parquet(folder / f"ferplus/{split}.parquet", {"name": [f"{split}{i}.png" for i in range(n)], **votes})


def write_open_fairface(folder: Path) -> None:
    """Write ``fairface``: names, age, gender and race, no expression."""
    for split in ("train", "val"):
        columns = {"name": [f"{split}/1.jpg"], "age": ["20-29"], "gender": ["Female"], "race": ["Black"]}
        _write_parquet(folder / f"fairface/{split}.parquet", columns)


def write_open_lfw(folder: Path) -> None:
    """Write ``lfw_expression``: one label per photo, two photos of a training person and one of a test person."""
    names = ["Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg", "Bo_Orr_0001.jpg"]
    columns = {"name": names, "emotion": ["happiness", "neutral", "anger"]}
    _write_parquet(folder / "lfw_expression/photos.parquet", columns)


def write_affectnet_c25(folder: Path) -> None:
    """Write ``affectnet_c25``: votes and ratings, no pixels and no names."""
    votes = {name: [25 if name == "surprise" else 0] for name in EXPRESSIONS}
    ratings = {"valence_mean": [0.1], "valence_sd": [0.2], "arousal_mean": [0.7], "arousal_sd": [0.1]}
    _write_parquet(folder / "affectnet_c25/ratings.parquet", {**votes, **ratings, "image_set": [2]})


def _write(path: Path, header: str, rows: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def _write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    n_rows = len(next(iter(columns.values())))
    pq.write_table(pa.table({**columns, "image": [b""] * n_rows}), path)


def _write_test_list(folder: Path, task: str, header: str) -> None:
    rows = [
        f"{video}/{frame:05d}.jpg"
        for video, frames in (("video90", 3), ("video91_left", 2))
        for frame in range(1, frames + 1)
    ]
    _write(folder / f"ABAW_{task}_test_set_sample.txt", f"image_location,{header}", rows)
    _write_crops(folder / "cropped_aligned/video90", (1, 3))


def _write_crops(track: Path, frames: Iterable[int]) -> None:
    for frame in frames:
        _write_image(track / f"{frame:05d}.jpg")


def _write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(path, np.full((16, 16, 3), 128, dtype=np.uint8))
