# SPDX-License-Identifier: Apache-2.0
"""MorphSet: every person in one split, and every slip of the file with its row."""

from pathlib import Path

import pytest

from mien.datasets import AnnotationError, check_dataset, create_example, load_morphset
from mien.datasets.readers.morphset import load_morphset_splits


def test_persons_are_in_one_split_each_and_the_last_one_in_some(tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    splits = load_morphset_splits(tmp_path)
    people = [samples.groups() for samples in splits.values()]
    assert [len(of) for of in people] == [7, 2, 1]
    assert frozenset.union(*people) == {str(number) for number in range(1, 11)}
    assert sum(map(len, people)) == 10
    assert sum(map(len, splits.values())) == 20
    assert load_morphset(tmp_path, "test").names == splits["test"].names
    assert check_dataset("morphset", tmp_path).complete


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    path = tmp_path / "MorphSet.csv"
    header, first, *_ = path.read_text().splitlines()
    values = dict(zip(header.split(","), first.split(","), strict=True))
    samples = next(one for one in load_morphset_splits(tmp_path).values() if values["Filename"] in one.names)
    row = samples.names.index(values["Filename"])
    assert samples.ratings[row].tolist() == pytest.approx([0.25, 0.75, 0.7906], abs=1e-4)
    for number in (0, 17, 67):
        expected = [float(values[f"x{number}"]), float(values[f"y{number}"])]
        assert samples.landmarks[row, number].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("Valence", "1.5", r"MorphSet.csv, line 3, field 7: Valence '1.5' is not in \[-1, 1\]"),
        ("Intensity", "-0.2", r"line 3, field 8: Intensity '-0.2' is not in \[0, 1.41\]"),
        ("x3", "nan", "line 3, field 12: x3 'nan' is not a finite number"),
        ("y67", "", "line 3, field 144: y67 '' is not a finite number"),
        ("Subject", " ", "line 3, field 3: Subject '' is blank"),
    ],
)
def test_slips_have_a_place(column: str, value: str, message: str, tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    path = tmp_path / "MorphSet.csv"
    lines = path.read_text().splitlines()
    fields = lines[2].split(",")
    fields[lines[0].split(",").index(column)] = value
    path.write_text("\n".join([*lines[:2], ",".join(fields), *lines[3:]]))
    with pytest.raises(AnnotationError, match=message):
        load_morphset(tmp_path, "train")


def test_damage_of_the_whole_file_is_named(tmp_path: Path) -> None:
    create_example("morphset", tmp_path)
    path = tmp_path / "MorphSet.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace(",y67", ",z67"), *lines[1:]]))
    with pytest.raises(AnnotationError, match=r"columns \['y67'\] are missing"):
        load_morphset(tmp_path, "train")
    path.write_text("\n".join([*lines[:4], ",".join(lines[4].split(",")[:-1])]))
    with pytest.raises(AnnotationError, match="line 5: has 143 fields instead of 144"):
        load_morphset(tmp_path, "train")
    path.write_text("\n".join(lines[:3]))
    with pytest.raises(AnnotationError, match="1 persons are too few for three splits"):
        load_morphset(tmp_path, "train")
    still = lines[1].split(",")[:8] + ["7"] * 136
    path.write_text("\n".join([lines[0], ",".join(still), *lines[2:]]))
    with pytest.raises(AnnotationError, match="line 2, field 9: x0 '7' is where all other landmarks"):
        load_morphset(tmp_path, "train")
    with pytest.raises(AnnotationError, match="has the splits train, valid, test, not 'val'"):
        load_morphset(tmp_path, "val")
