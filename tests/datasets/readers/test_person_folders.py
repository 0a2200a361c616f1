# SPDX-License-Identifier: Apache-2.0
"""Folders of persons: every person is trained on, a tenth of the photos is held out, and boxes come from lists."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import AnnotationError, create_example, load_person_folders, validation_photos
from mien.media import save_image


def write_photos(folder: Path, counts: dict[str, int]) -> None:
    for person, n in counts.items():
        (folder / person).mkdir(parents=True)
        for number in range(n):
            save_image(folder / person / f"{number:04d}.jpg", np.full((20, 30, 3), 90, np.uint8))


def test_a_tenth_is_held_out_and_nobody_is_held_out_whole(tmp_path: Path) -> None:
    write_photos(tmp_path, {"anna": 30, "bela": 30, "cleo": 1, "dana": 2})
    train, valid = (load_person_folders(tmp_path, split) for split in ("train", "valid"))
    assert train.person_labels == valid.person_labels == ("anna", "bela", "cleo", "dana")
    assert len(train) + len(valid) == 63
    assert not set(train.names) & set(valid.names)
    assert 2 <= len(valid) <= 12
    assert set(train.person.tolist()) == {0, 1, 2, 3}
    assert np.isnan(train.boxes).all()
    assert train.counts().valid["person"] == len(train)
    few = load_person_folders(tmp_path, "train", least_photos=3)
    assert few.person_labels == ("anna", "bela")


def test_the_split_does_not_depend_on_the_order() -> None:
    names = [f"a/{number}.jpg" for number in range(200)]
    first = validation_photos(names, ["a"] * 200)
    second = validation_photos(names[::-1], ["a"] * 200)[::-1]
    np.testing.assert_array_equal(first, second)
    assert 8 <= first.sum() <= 34


def test_boxes_of_vggface2_have_a_size_and_their_names_no_suffix(tmp_path: Path) -> None:
    create_example("person-folders", tmp_path)
    samples = load_person_folders(tmp_path, "train")
    np.testing.assert_array_equal(samples.boxes, np.tile(np.float32([4, 4, 12, 12]), (len(samples), 1)))


def test_boxes_of_a_table_of_faces(tmp_path: Path) -> None:
    write_photos(tmp_path, {"anna": 3, "bela": 3})
    rows = ["/elsewhere/anna/0000.jpg,true,1,2,9,10", "anna/0001.jpg,false,,,,", "C:\\x\\bela\\0002.jpg,true,3,3,8,8"]
    (tmp_path / "boxes.csv").write_text("\n".join(["source,success,x0,y0,x1,y1", *rows]), "utf-8")
    found = {
        name: box
        for split in ("train", "valid")
        for samples in (load_person_folders(tmp_path, split),)
        for name, box in zip(samples.names, samples.boxes.tolist(), strict=True)
    }
    assert found["anna/0000.jpg"] == [1, 2, 9, 10]
    assert found["bela/0002.jpg"] == [3, 3, 8, 8]
    assert np.isnan(found["anna/0001.jpg"]).all()
    assert np.isnan(found["bela/0000.jpg"]).all()


def test_what_is_no_such_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="holds 0 folders with photos; give one folder a person"):
        load_person_folders(tmp_path, "train")
    write_photos(tmp_path, {"anna": 2, "bela": 1})
    with pytest.raises(AnnotationError, match="holds 1 folders with photos, at least 2"):
        load_person_folders(tmp_path, "train", least_photos=2)
    (tmp_path / "boxes.csv").write_text("source,x0,y0,x1,y1\nanna/0000.jpg,a,2,3,4\n", "utf-8")
    with pytest.raises(AnnotationError, match="line 2"):
        load_person_folders(tmp_path, "train")
