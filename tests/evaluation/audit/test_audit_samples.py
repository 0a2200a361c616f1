# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.core import InputError
from mien.evaluation import load_audit_samples


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,site\na,b", "needs the column 'image'"),
        ("image,expression\na.png,neutral", "no column of groups"),
        ("image,site,expression\na.png,x,joy", "line 2: 'joy' is no expression"),
        ("image,site,AU12\na.png,x,7", "line 2: AU12 must be from 0 to 1"),
        ("image,site,valence\na.png,x,-3", "line 2: valence must be from -1 to 1"),
    ],
)
def test_malformed_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        load_audit_samples(path)


def test_columns_become_groups_labels_and_people(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("image,site,age,expression,AU12,person\na.png,x,20-29,fear,,p1\nb.png,,3-9,,1,\n", "utf-8")
    found = load_audit_samples(path)
    assert {name: column.tolist() for name, column in found.groups.items()} == {
        "site": ["x", ""],
        "age": ["20-29", "3-9"],
    }
    assert found.expression.tolist() == [6, -1]
    assert np.isnan(found.values["AU12"]).tolist() == [True, False]
    assert found.people.tolist() == ["p1", "b.png"]
    assert len(found.rows(np.array([1]))) == 1


def test_fairface_has_its_traits_and_the_teacher(open_sets: Path) -> None:
    found = load_audit_samples(open_sets)
    assert set(found.groups) == {"age", "gender", "race"}
    assert found.reference
    assert (found.expression == -1).all()
    assert found.landmarks.shape == (len(found), 68, 2)
