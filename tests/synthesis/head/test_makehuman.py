# SPDX-License-Identifier: Apache-2.0
"""The converter reads MakeHuman's text formats."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from mien.synthesis.head.makehuman import read_obj, read_target


def test_quads_keep_their_group_and_texture(tmp_path: Path) -> None:
    path = tmp_path / "mesh.obj"
    lines = [
        "# a comment",
        "v 0 0 0",
        "v 1 0 0",
        "v 1 1 0",
        "v 0 1 0.5",
        "vt 0 0",
        "vt 1 1",
        "g body",
        "f 1/1 2/2 3/1 4/2",
    ]
    path.write_text("\n".join(lines))
    mesh = read_obj(path)
    assert mesh["quads"].tolist() == [[0, 1, 2, 3]]
    assert mesh["vt_quads"].tolist() == [[0, 1, 0, 1]]
    assert mesh["groups"].tolist() == ["body"]
    assert mesh["v"][3].tolist() == [0, 1, 0.5]


@pytest.mark.parametrize("suffix", [".target", ".target.gz"])
def test_targets_are_read_plain_and_compressed(tmp_path: Path, suffix: str) -> None:
    text = b"# shape\n5 0.1 -0.2 0.3\n9 0 0 1\n"
    path = tmp_path / f"smile{suffix}"
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    ids, offsets = read_target(path)
    assert ids.tolist() == [5, 9]
    assert np.allclose(offsets, [[0.1, -0.2, 0.3], [0, 0, 1]])
