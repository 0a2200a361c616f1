# SPDX-License-Identifier: Apache-2.0
"""Copies of data sets: training images grow, validation and test images never; labels in pixels, resuming, damage."""

from __future__ import annotations

from pathlib import Path, PurePath

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import ConfigError, Image, InputError, OutputError
from mien.datasets import load_lsd
from mien.jobs import FakeEngine
from mien.media import decode_image, encode_jpeg, load_image, save_image
from mien.synthesis import UpscaleReport, create_upscaler, upscale
from mien.synthesis.super_resolution import upscaled_data as module
from mien.synthesis.super_resolution.upscaled_data import is_held_out

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IMAGES_PER_SHARE", 2)
    monkeypatch.setattr(module, "_ROWS_PER_SHARE", 2)


def face(side: int = 8) -> Image:
    return RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def lsd(tmp_path: Path) -> Path:
    """The layout of LSD with one image a class, and a validation and a test folder."""
    folder = tmp_path / "lsd"
    for place in ("training_set_synthetic_images", "validation_set_real_images"):
        for number, name in enumerate(("ANGER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE")):
            (folder / place / name).mkdir(parents=True)
            (folder / place / name / f"{number}.jpg").write_bytes(encode_jpeg(face()))
    (folder / "lsd_test_data").mkdir()
    save_image(folder / "lsd_test_data/1.png", face())
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize(
    ("path", "held_out"),
    [
        ("training_set_synthetic_images/ANGER/1.jpg", False),
        ("validation_set_real_images/ANGER/1.jpg", True),
        ("lsd_test_data/1.jpg", True),
        ("VALIDATION_Set/a/1.jpg", True),
        ("val_set/1.jpg", True),
        ("FER2013Test/1.png", True),
        ("valid/000001/1.jpg", True),
        ("ferplus/valid.parquet", True),
        ("ferplus/train.parquet", False),
        ("train/test.jpg", False),  # the name of an image says nothing
        ("interval/latest/contest/1.jpg", False),
    ],
)
def test_names_say_validation_and_test(path: str, held_out: bool) -> None:
    assert is_held_out(PurePath(path)) is held_out


def test_validation_and_test_images_are_never_changed(lsd: Path, tmp_path: Path) -> None:
    report = upscale(lsd, tmp_path / "out", network="bicubic")
    assert report == UpscaleReport(n_enlarged=6, n_held_out=7, n_large=0, n_present=0, failures=())
    before, after = files(lsd), files(tmp_path / "out")
    assert set(after) == {*before, "upscale.json"}
    for name, content in before.items():
        assert (after[name] == content) is not name.startswith("training"), name
    for split in ("train", "valid"):
        samples = load_lsd(tmp_path / "out", split)
        shapes = {load_image(samples.image_path(row)).shape for row in range(6)}
        assert shapes == {(16, 16, 3) if split == "train" else (8, 8, 3)}


def test_a_folder_that_is_named_test_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    save_image(tmp_path / "test/1.png", face())
    report = upscale(tmp_path / "test", tmp_path / "out", network="bicubic")
    assert (report.n_enlarged, report.n_held_out) == (0, 1)


def test_an_enlarged_image_is_what_the_upscaler_gives(tmp_path: Path) -> None:
    image, gray = face(), np.repeat(face()[..., :1], 3, axis=2)
    (tmp_path / "in").mkdir()
    save_image(tmp_path / "in/a.png", image)
    save_image(tmp_path / "in/g.png", gray)
    save_image(tmp_path / "in/large.png", face(300))
    report = upscale(tmp_path / "in", tmp_path / "out", network="bicubic", scale=3)
    assert (report.n_enlarged, report.n_large) == (2, 1)
    upscaler = create_upscaler("bicubic", scale=3)
    assert np.array_equal(load_image(tmp_path / "out/a.png"), upscaler(image))
    assert np.array_equal(load_image(tmp_path / "out/g.png"), upscaler(gray))
    assert cv2.imread(str(tmp_path / "out/g.png"), cv2.IMREAD_UNCHANGED).ndim == 2
    assert (tmp_path / "out/large.png").read_bytes() == (tmp_path / "in/large.png").read_bytes()


def write_table(path: Path, splits: tuple[str, ...] | None = None, n: int = 5) -> pa.Table:
    columns = {
        "name": [f"{row}" for row in range(n)],
        "image": [cv2.imencode(".png", face())[1].tobytes() for _ in range(n)],
        "AU12": np.linspace(0, 1, n, dtype=np.float32),
        "x0": np.arange(n, dtype=np.float32),
        "landmarks": pa.array([[1.0, float(row)] for row in range(n)], pa.list_(pa.float32(), 2)),
        "camera_focal_px": np.full(n, 7, np.float32),
        "camera_distance_dm": np.full(n, 7, np.float32),
    }
    table = pa.table(columns | ({"split": list(splits)} if splits else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)
    return table


def test_rows_of_other_splits_stay_and_pixels_of_labels_grow(tmp_path: Path) -> None:
    before = write_table(tmp_path / "faces-00000.parquet", ("train", "valid", "train", "test", "train"))
    report = upscale(tmp_path / "faces-00000.parquet", tmp_path / "out", network="bicubic")
    assert (report.n_enlarged, report.n_held_out) == (3, 2)
    after = pq.read_table(tmp_path / "out/faces-00000.parquet")
    assert after.schema == before.schema
    for row, (old, new) in enumerate(zip(before.to_pylist(), after.to_pylist(), strict=True)):
        factor = 1 if row in (1, 3) else 2
        assert decode_image(new["image"]).shape == (8 * factor, 8 * factor, 3)
        assert (new["image"] == old["image"]) is (factor == 1)
        assert new["x0"] == factor * old["x0"]
        assert new["landmarks"] == [factor * value for value in old["landmarks"]]
        assert new["camera_focal_px"] == factor * 7
        assert (new["camera_distance_dm"], new["AU12"], new["name"]) == (7, old["AU12"], old["name"])
    assert not (tmp_path / "out/.upscale").exists()


def test_a_parquet_file_that_is_named_valid_stays_unchanged(tmp_path: Path) -> None:
    before = write_table(tmp_path / "set/valid.parquet")
    write_table(tmp_path / "set/train.parquet")
    report = upscale(tmp_path / "set", tmp_path / "out", network="bicubic")
    assert (report.n_enlarged, report.n_held_out) == (5, 5)
    assert pq.read_table(tmp_path / "out/valid.parquet").equals(before)


def test_tables_about_image_files_grow_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("train/a.png", "valid/b.png"):
        (folder / name).parent.mkdir(parents=True)
        save_image(folder / name, face())
    (folder / "labels").mkdir()
    pq.write_table(
        pa.table({"image": ["train/a.png", "valid/b.png"], "x0": [2.0, 2.0]}), folder / "labels/labels.parquet"
    )
    upscale(folder, tmp_path / "out", network="bicubic")
    assert pq.read_table(tmp_path / "out/labels/labels.parquet")["x0"].to_pylist() == [4.0, 2.0]


@pytest.mark.parametrize("kind", ["images", "parquet"])
def test_a_run_continues_where_it_stopped(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "set"
    if kind == "parquet":
        write_table(source / "train.parquet", n=6)
    else:
        source.mkdir()
        for row in range(6):
            save_image(source / f"{row}.png", face())
    upscale(source, tmp_path / "whole", network="bicubic")
    crashed = upscale(source, tmp_path / "twice", network="bicubic", engine=FakeEngine({1: "out of memory"}))
    assert crashed.n_enlarged == 4
    assert [reason for _, reason in crashed.failures] == ["out of memory"]
    assert not (tmp_path / "twice/train.parquet").exists()
    seen: list[tuple[int, int]] = []
    again = upscale(source, tmp_path / "twice", network="bicubic", on_progress=lambda *counts: seen.append(counts))
    assert (again.n_enlarged, again.n_present, again.failures) == (2, 4, ())
    assert seen[-1] == (6, 6)
    whole, twice = files(tmp_path / "whole"), files(tmp_path / "twice")
    assert whole == twice
    assert upscale(source, tmp_path / "twice", network="bicubic").n_present == 6


def test_damage_is_reported_and_the_rest_done(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_table(source / "train.parquet", n=3)
    table = pq.read_table(source / "train.parquet")
    images = table["image"].to_pylist()
    images[1] = b"no image"
    pq.write_table(table.set_column(1, "image", pa.array(images)), source / "train.parquet")
    (source / "bad.png").write_bytes(b"")
    save_image(source / "good.png", face())
    (source / "old.gif").write_bytes(b"GIF89a")
    report = upscale(source, tmp_path / "out", network="bicubic")
    assert report.n_enlarged == 3
    assert sorted(place.removeprefix(f"{source}/") for place, _ in report.failures) == [
        "bad.png",
        "old.gif",
        "train.parquet, row 1",
    ]
    assert pq.read_table(tmp_path / "out/train.parquet")["image"].to_pylist()[1] == b"no image"
    assert not (tmp_path / "out/bad.png").exists()


def test_wrong_places_are_errors(tmp_path: Path) -> None:
    source = tmp_path / "set"
    source.mkdir()
    with pytest.raises(InputError, match="holds no images"):
        upscale(source, tmp_path / "out", network="bicubic")
    assert not (tmp_path / "out").exists()
    save_image(source / "1.png", face())
    for out in (source, source / "inside", tmp_path):
        with pytest.raises(ConfigError, match="lie in each other"):
            upscale(source, out, network="bicubic")
    with pytest.raises(InputError, match="no such file"):
        upscale(tmp_path / "missing", tmp_path / "out", network="bicubic")
    with pytest.raises(InputError, match="no such file"):
        upscale("x" * 5000, tmp_path / "out", network="bicubic")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="no such file"):
        upscale(tmp_path / "loop", tmp_path / "out", network="bicubic")
    with pytest.raises(OutputError):
        upscale(source, tmp_path / "loop", network="bicubic")
    (source / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"broken\.parquet"):
        upscale(source, tmp_path / "out", network="bicubic")


def test_another_run_may_not_continue_in_the_folder(tmp_path: Path) -> None:
    source = tmp_path / "set"
    source.mkdir()
    save_image(source / "1.png", face())
    upscale(source, tmp_path / "out", network="bicubic")
    with pytest.raises(OutputError, match="another source, network or scale"):
        upscale(source, tmp_path / "out", network="bicubic", scale=4)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        upscale(source, tmp_path / "full", network="bicubic")
