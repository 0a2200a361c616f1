# SPDX-License-Identifier: Apache-2.0
"""Malformed annotations: each is read as the official tools would read it, or refused with file and line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.datasets import (
    AnnotationError,
    create_example,
    load_affwild2_au,
    load_affwild2_expr,
    load_affwild2_mtl,
    load_affwild2_va,
    load_emi,
    load_eri,
    load_fer2013,
    load_ferplus_csv,
    load_rafdb,
)

VA, EXPR, AU, MTL, EMI, ERI = "affwild2-va", "affwild2-expr", "affwild2-au", "affwild2-mtl", "emi", "eri"

FILES: dict[str, str] = {
    VA: "VA_Estimation_Challenge/Validation_Set/video59.txt",
    EXPR: "EXPR_Recognition_Challenge/Validation_Set/24-30-1920x1080.txt",
    AU: "AU_Detection_Challenge/Validation_Set/video2.txt",
    MTL: "validation_set_annotations.txt",
    EMI: "valid_split.csv",
    ERI: "data_info.csv",
    "fer2013": "fer2013.csv",
    "ferplus": "fer2013new.csv",
    "rafdb": "basic/EmoLabel/list_patition_label.txt",
}
READERS: dict[str, Callable[[Path, str], Any]] = {
    VA: load_affwild2_va,
    EXPR: load_affwild2_expr,
    AU: load_affwild2_au,
    MTL: load_affwild2_mtl,
    EMI: load_emi,
    ERI: load_eri,
    "fer2013": load_fer2013,
    "ferplus": load_ferplus_csv,
    "rafdb": load_rafdb,
}
HEADERS = {
    VA: b"valence,arousal\n",
    EXPR: b"Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n",
    AU: b"AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26\n",
    MTL: b"image,valence,arousal,expression,aus\n",
    EMI: b"Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy\n",
    ERI: b"File_ID,Country,Split,Adoration,Amusement,Anxiety,Disgust,Empathic-Pain,Fear,Surprise\n",
    "fer2013": b"emotion,pixels,Usage\n",
    "ferplus": b"Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n",
    "rafdb": b"",
}
UNITS = b"0,1,0,0,1,0,0,1,0,0,1,0"
FACE = b" ".join([b"7"] * 2304)

# data set, content of its file (after "...": after the right header), line and field that must be named, words
REFUSED = [
    pytest.param(VA, b"...0.1,0.2\nnan,0.1\n", 3, 1, "not a finite number", id="NaN"),
    pytest.param(VA, b"...0.1,inf\n", 2, 2, "not a finite number", id="infinity"),
    pytest.param(VA, b"...0.1,0.2\n0.1,1.2\n", 3, 2, r"arousal '1.2'.*\[-1, 1\]", id="value out of range"),
    pytest.param(VA, b"...-5.1,0.2\n", 2, 1, r"\[-1, 1\]", id="almost the mark for not rated"),
    pytest.param(VA, b"...0.1,0.2\n\n0.3,0.1\n", 3, None, "blank", id="blank line between frames"),
    pytest.param(VA, b"...0.1,0.2\n   \n0.3,0.1\n", 3, None, "blank", id="line of spaces between frames"),
    pytest.param(VA, b"...0.1,0.2,\n", 2, None, "3 fields instead of 2", id="trailing comma"),
    pytest.param(VA, b"...0.1\t0.2\n", 2, None, "1 fields instead of 2", id="tabs"),
    pytest.param(VA, b"...0,1;0,2\n", 2, None, "3 fields", id="decimal commas"),
    pytest.param(VA, b"...0.1,\n", 2, 2, "not a finite number", id="missing value"),
    pytest.param(VA, b"...0.1,good\n", 2, 2, "'good'", id="word for a number"),
    pytest.param(VA, b"...0.1,1_0\n", 2, 2, "not a finite number", id="digits with underscore"),
    pytest.param(VA, b"...0.1,0.\xff2\n", 2, None, "0xff is not UTF-8", id="byte that is not UTF-8"),
    pytest.param(VA, "valence,arousal\n0.1,0.2\n".encode("utf-16"), 1, None, "UTF-16", id="UTF-16"),
    pytest.param(VA, b"...0.1,\x000.2\n", 2, None, "zero byte", id="zero byte"),
    pytest.param(VA, b"", None, None, "is empty", id="empty file"),
    pytest.param(VA, b"\n\n", None, None, "is empty", id="blank lines only"),
    pytest.param(VA, b"...", 1, None, "no rows", id="header only"),
    pytest.param(VA, b"arousal,valence\n0.1,0.2\n", 1, None, "header", id="swapped header"),
    pytest.param(VA, b"0.1,0.2\n0.1,0.2\n", 1, None, "header", id="no header"),
    pytest.param(VA, b"valence,arousal,frame\n0.1,0.2,1\n", 1, None, "header", id="extra column"),
    pytest.param(EXPR, b"...0\n8\n", 3, 1, "0 to 7|-1 to 7", id="class 8"),
    pytest.param(EXPR, b"...-2\n", 2, 1, "-1 to 7", id="negative class"),
    pytest.param(EXPR, b"...3.5\n", 2, 1, "whole number", id="fraction for a class"),
    pytest.param(EXPR, b"...Anger\n", 2, 1, "'Anger'", id="name for a class"),
    pytest.param(EXPR, b"...0,0,0,1,0,0,0,0\n", 2, None, "8 fields instead of 1", id="one-hot row"),
    pytest.param(
        EXPR, b"Neutral,Happiness,Anger,Disgust,Fear,Sadness,Surprise,Other\n0\n", 1, None, "header", id="wrong header"
    ),
    pytest.param(
        EXPR, b"Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise\n7\n", 2, 1, "-1 to 6", id="class 7 of seven"
    ),
    pytest.param(AU, b"..." + UNITS + b",1\n", 2, None, "13 fields", id="13 action units"),
    pytest.param(AU, b"..." + UNITS[:-1] + b"2\n", 2, 12, "AU26 '2'", id="intensity for an action unit"),
    pytest.param(AU, b"...0.5" + UNITS[1:] + b"\n", 2, 1, "whole number", id="chance for an action unit"),
    pytest.param(MTL, b"...v/00001.jpg,0.1,0.1,0," + UNITS[:-2] + b"\n", 2, None, "15 fields", id="15 fields"),
    pytest.param(MTL, b"...v/00001.jpg,0.1,0.1,8," + UNITS + b"\n", 2, 4, "-1 to 7", id="class 8 in the list"),
    pytest.param(
        MTL,
        b"..." + b"".join([b"v/00001.jpg,0,0,%d," % k + UNITS + b"\n" for k in (0, 1)]),
        3,
        1,
        "listed before",
        id="two labels for a frame",
    ),
    pytest.param(MTL, b"...00001.jpg,0,0,0," + UNITS + b"\n", 2, 1, "video/00001.jpg", id="image without video"),
    pytest.param(MTL, b"...v/00000.jpg,0,0,0," + UNITS + b"\n", 2, 1, "frame number", id="frame zero"),
    pytest.param(MTL, b"v/00001.jpg,0,0,0," + UNITS + b"\n", 1, 1, "not 'image'", id="list without header"),
    pytest.param(EMI, b"...00001,0,0,0,0,0,1.5\n", 2, 7, r"Joy '1.5'.*\[0, 1\]", id="intensity out of range"),
    pytest.param(EMI, b"...1,0,0,0,0,0,0\n1,0,0,0,0,0,1\n", 3, 1, "listed before", id="two labels for a video"),
    pytest.param(EMI, b"...,0,0,0,0,0,0\n", 2, 1, "blank", id="video without name"),
    pytest.param(EMI, b"Filename,Joy\n00001,1\n", 1, None, "'Admiration'", id="columns missing"),
    pytest.param(ERI, b"...[1],USA,Val,0,0,0,0,0,0,\n", 2, 10, "blank", id="blank target outside the test split"),
    pytest.param(ERI, b"...[1],USA,Dev,0,0,0,0,0,0,0\n", 2, 3, "'Dev'", id="unknown split"),
    pytest.param("fer2013", b"...0," + FACE[:-2] + b",PublicTest\n", 2, 2, "2304", id="2303 pixels"),
    pytest.param("fer2013", b"...0," + FACE[:-1] + b"256,PublicTest\n", 2, 2, "0 to 255", id="pixel of 256"),
    pytest.param("ferplus", b"...PublicTest,fer1.png,0,0,0,0,0,0,0,0,0,11\n", 2, 12, "0 to 10", id="eleven votes"),
    pytest.param("rafdb", b"test_0001.jpg 0\n", 1, 2, "1 to 7", id="RAF label from 0"),
    pytest.param("rafdb", b"test_0001.png 1\n", 1, 1, "form", id="RAF image of another kind"),
]

# data set, content, what the official tools read
ACCEPTED = [
    pytest.param(VA, b"\xef\xbb\xbf...0.5,0.25\n", [0.5, 0.25], id="byte-order mark"),
    pytest.param(VA, b"valence,arousal\r\n0.5,0.25\r\n", [0.5, 0.25], id="CRLF"),
    pytest.param(VA, b"valence,arousal\r0.5,0.25\r", [0.5, 0.25], id="CR only"),
    pytest.param(VA, b"...0.5,0.25\n\n\n", [0.5, 0.25], id="blank last lines"),
    pytest.param(VA, b"...0.5,0.25", [0.5, 0.25], id="no newline at the end"),
    pytest.param(VA, b"... 0.5 ,\t0.25 \n", [0.5, 0.25], id="spaces around numbers"),
    pytest.param(VA, b"...+0.5,2.5e-1\n", [0.5, 0.25], id="sign and exponent"),
    pytest.param(VA, b"Valence, Arousal\n0.5,0.25\n", [0.5, 0.25], id="header in capitals and with a space"),
    pytest.param(VA, b"...-5.0,0.25\n", [np.nan, np.nan], id="one dimension not rated"),
    pytest.param(EXPR, b"...3.0\n", 3, id="decimal class"),
    pytest.param(EXPR, b"...-1\n", -1, id="class not known"),
    pytest.param(AU, b"...-1" + UNITS[1:] + b"\n", [-1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0], id="-1 in one action unit"),
]


def _load(name: str, content: bytes, folder: Path) -> Any:
    create_example(name, folder)
    (folder / FILES[name]).write_bytes(content.replace(b"...", HEADERS[name]))
    split = "test" if name == "rafdb" else "valid"
    return READERS[name](folder, split)


@pytest.mark.parametrize(("name", "content", "line", "field", "words"), REFUSED)
def test_refused_with_file_and_line(
    name: str, content: bytes, line: int | None, field: int | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        _load(name, content, tmp_path)
    assert (caught.value.path, caught.value.line, caught.value.field) == (tmp_path / FILES[name], line, field)
    assert str(tmp_path / FILES[name]) in str(caught.value)
    assert line is None or f"line {line}" in str(caught.value)


@pytest.mark.parametrize(("name", "content", "expected"), ACCEPTED)
def test_read_as_the_official_tools_would(name: str, content: bytes, expected: object, tmp_path: Path) -> None:
    samples = _load(name, content, tmp_path)
    column = {VA: "valence_arousal", EXPR: "expression", AU: "action_units"}[name]
    np.testing.assert_array_equal(getattr(samples, column), [expected])


def test_columns_of_a_csv_may_come_in_any_order(tmp_path: Path) -> None:
    content = (
        b"Joy,Filename,note,Excitement,Empathic Pain,Determination,Amusement,Admiration\n.6,00001,x,.5,.4,.3,.2,.1\n"
    )
    samples = _load(EMI, content, tmp_path)
    np.testing.assert_allclose(samples.intensities, [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]], rtol=1e-6)
    assert samples.names == ("00001",)


def test_the_line_is_right_in_a_long_file(tmp_path: Path) -> None:
    lines = [b"0.1,0.2"] * 200_000
    lines[150_000] = b"0.1,2"
    with pytest.raises(AnnotationError, match=r"line 150002, field 2: arousal '2'"):
        _load(VA, b"..." + b"\n".join(lines), tmp_path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    gone = tmp_path / "basic/Image/aligned/train_00002_aligned.jpg"
    gone.unlink()
    samples = load_rafdb(tmp_path, "train")
    assert samples.absent() == (gone,)
    assert samples.has_image.tolist() == [True, False]
