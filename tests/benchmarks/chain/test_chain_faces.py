# SPDX-License-Identifier: Apache-2.0
"""Real faces in the layout of LSD: six classes by the most frequent vote, a fixed choice, valid apart from train."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from benchmarks.chain.chain_faces import write_real
from mien.core import EXPRESSIONS
from mien.datasets import load_lsd

COLUMNS = (*EXPRESSIONS, "unknown", "not_a_face")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        votes = np.zeros((40, 10), np.int64)
        votes[np.arange(40), np.arange(40) % 10] = 9
        images = [cv2.imencode(".png", rng.integers(0, 256, (48, 48), dtype=np.uint8))[1].tobytes() for _ in range(40)]
        table = {"name": [f"{split}{row}.png" for row in range(40)], "image": images}
        (tmp_path / "ferplus").mkdir(exist_ok=True)
        pq.write_table(
            pa.table(table | {name: votes[:, i] for i, name in enumerate(COLUMNS)}),
            tmp_path / f"ferplus/{split}.parquet",
        )
    return tmp_path


def test_the_reader_of_lsd_reads_them(data: Path, tmp_path: Path) -> None:
    write_real(data, "valid", tmp_path / "valid")
    samples = load_lsd(tmp_path / "valid", "valid")
    assert len(samples) == 24
    for name, index in zip(samples.names, samples.expression, strict=True):
        row = int(name.partition("/valid")[2].removesuffix(".png"))
        assert EXPRESSIONS[row % 10] == samples.expression_labels[index]


def test_the_choice_is_the_same_again_and_a_finished_folder_stays(data: Path, tmp_path: Path) -> None:
    folders = (tmp_path / "one", tmp_path / "two")
    for folder in folders:
        write_real(data, "train", folder, n=20)
    names = [
        sorted(p.relative_to(tmp_path / f).as_posix() for p in (tmp_path / f).rglob("*.png")) for f in ("one", "two")
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 20
    (tmp_path / "one/training_set_synthetic_images" / names[0][0].split("/")[1] / "x").write_text("kept")
    write_real(data, "train", tmp_path / "one", n=5)
    assert sum(1 for _ in (tmp_path / "one").rglob("*.png")) == 20
