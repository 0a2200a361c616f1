# SPDX-License-Identifier: Apache-2.0
"""Files of bundles and heads, and folders that cannot be written."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from mien.core import EMI_EMOTIONS, HeadInput, HeadSpec, MetricValue, OutputError
from mien.inference import load_spec
from mien.training.export.bundle_files import write_bundle, write_head, write_spec


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
    with pytest.raises(OutputError, match="cannot be written as the folder of a model"):
        write_bundle(tmp_path, b"new", spec)
    assert not (tmp_path / "model.json").exists()


def test_unwritable_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file: cannot be written as the folder of a model"):
        write_bundle(tmp_path / "file", b"graph", load_spec())
    with pytest.raises(OutputError, match=r"absent/model\.json: cannot be written"):
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
