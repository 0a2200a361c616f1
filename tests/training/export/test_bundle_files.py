# SPDX-License-Identifier: Apache-2.0
"""Files of bundles and heads, and folders that cannot be written."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from mien.core import EMI_EMOTIONS, ConfigError, HeadInput, HeadSpec, MetricValue, OutputError
from mien.inference import load_spec
from mien.training.export.bundle_files import check_bundle_folder, write_bundle, write_head, write_spec


def test_a_bundle_reads_back(tmp_path: Path) -> None:
    spec = dataclasses.replace(load_spec(), name="copy", sha256=hashlib.sha256(b"graph").hexdigest())
    write_bundle(tmp_path / "new" / "bundle", b"graph", spec)
    assert (tmp_path / "new" / "bundle" / "model.onnx").read_bytes() == b"graph"
    assert load_spec(tmp_path / "new" / "bundle") == spec
    metric = MetricValue(name="accuracy", data="faces", n=10, value=0.5, low=0.4, high=0.6, command="mien evaluate")
    write_spec(tmp_path / "new" / "bundle", dataclasses.replace(spec, metrics=(metric,)))
    assert load_spec(tmp_path / "new" / "bundle").metrics == (metric,)


def test_a_failed_write_leaves_no_description_of_older_weights(tmp_path: Path) -> None:
    spec = load_spec()
    write_bundle(tmp_path, b"old", spec)
    (tmp_path / "model.onnx").unlink()
    (tmp_path / "model.onnx").mkdir()  # cannot be written as a file
    with pytest.raises(OutputError, match="cannot write"):
        write_bundle(tmp_path, b"new", spec)
    assert not (tmp_path / "model.json").exists()


def test_unwritable_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot write .*file: File exists"):
        write_bundle(tmp_path / "file", b"graph", load_spec())
    with pytest.raises(OutputError, match=r"cannot write .*absent/model\.json"):
        write_spec(tmp_path / "absent", load_spec())
    assert (tmp_path / "file").read_text() == "mine"


def test_text_is_kept_as_utf_8(tmp_path: Path) -> None:
    spec = dataclasses.replace(load_spec(), provenance="Gesichter, 顔")
    write_spec(tmp_path, spec)
    assert "Gesichter, 顔".encode() in (tmp_path / "model.json").read_bytes()
    assert load_spec(tmp_path) == spec


def test_a_head_has_its_own_file_names(tmp_path: Path) -> None:
    spec = HeadSpec(
        head_version=1,
        name="tiny",
        version="1",
        sha256=hashlib.sha256(b"graph").hexdigest(),
        task="emi",
        labels=EMI_EMOTIONS,
        inputs=(HeadInput(made_by="net", digest="n", part="scores", n=2, every=5),),
        input="vectors",
        output="intensities",
        unit="share of the largest rating",
    )
    write_head(tmp_path, b"graph", spec)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.json", "head.onnx"]
    assert HeadSpec.from_json(json.loads((tmp_path / "head.json").read_text("utf-8"))) == spec


def test_links_of_the_names_are_replaced_and_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("model.onnx", "model.json"):
        (folder / name).symlink_to(mine)
    write_bundle(folder, b"graph", load_spec())
    assert mine.read_text() == "mine"
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_new_folder_and_one_with_a_bundle_are_allowed(tmp_path: Path) -> None:
    check_bundle_folder(tmp_path / "new" / "bundle")
    assert not (tmp_path / "new").exists()
    write_bundle(tmp_path, b"graph", load_spec())
    (tmp_path / "notes.txt").write_text("mine")
    check_bundle_folder(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "head.onnx", "head.json"])
def test_a_file_that_is_no_part_of_a_bundle_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match=f"{name} in it is no part of a bundle"):
        check_bundle_folder(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_pipe_in_the_place_of_a_bundle_does_not_block(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(OutputError, match=f"{name}: it is a pipe"):
        check_bundle_folder(tmp_path)


def test_a_bundle_replaces_no_input(tmp_path: Path) -> None:
    write_bundle(tmp_path, b"graph", load_spec())
    with pytest.raises(ConfigError, match=r"FILE .* are the same file"):
        check_bundle_folder(tmp_path, [("FILE", tmp_path / "model.onnx")])
    link = tmp_path.parent / f"{tmp_path.name}.onnx"
    link.symlink_to(tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match=r"FILE .* are the same file"):
        check_bundle_folder(tmp_path, [("FILE", link)])


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        check_bundle_folder(tmp_path / place)
