# SPDX-License-Identifier: Apache-2.0
"""``mien models`` and ``mien import``."""

import json
import sys
from pathlib import Path

import pytest

from mien.core import GeometrySpec, ModelSpec, install_command
from tests.helpers.bundle_variants import write_variant
from tests.helpers.face_trunks import faceres_arrays, write_tfjs


def test_models_lists_what_is_shipped(mien) -> None:
    ended = mien("models")
    assert ended.code == 0
    assert "mien-light" in ended.out
    assert "expression (8)" in ended.out


def test_geometry_is_listed_and_shown(mien) -> None:
    assert "mien-geometry  version 1, 68 landmarks, no pixels: arousal, valence, intensity" in mien("models").out
    assert "# mien-geometry, version 1" in mien("models", "show", "mien-geometry").out
    spec = GeometrySpec.from_json(json.loads(mien("models", "show", "mien-geometry", "--json").out))
    assert spec.points == "inner"


def test_show_is_a_model_card(mien) -> None:
    ended = mien("models", "show", "mien-light")
    assert ended.code == 0
    for heading in ("mien-light", "Training data", "Metrics", "Limitations"):
        assert heading in ended.out
    assert "valence" in ended.out


def test_show_as_json_reads_back(mien) -> None:
    spec = ModelSpec.from_json(json.loads(mien("models", "show", "--json").out))
    assert spec.name == "mien-light"


def test_show_something_unknown(mien, tmp_path: Path) -> None:
    ended = mien("models", "show", tmp_path / "bundle")
    assert ended.code == 4
    assert str(tmp_path / "bundle") in ended.err


def test_a_file_that_is_not_there(mien, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    ended = mien("import", "emotiefflib", tmp_path / "enet_b0_8_va_mtl.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 4
    assert "enet_b0_8_va_mtl.onnx: cannot be read" in ended.err


def test_the_name_is_that_of_the_file_unless_given(mien, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    (tmp_path / "mine.onnx").write_bytes(b"")
    ended = mien("import", "emotiefflib", tmp_path / "mine.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "'mine'; choose from enet_b0_8_best_afew" in ended.err
    ended = mien("import", "emotiefflib", tmp_path / "mine.onnx", "--name", "mbf_va_mtl", "--out", tmp_path / "bundle")
    assert ended.code == 4  # the name is fine now, the file is empty


@pytest.mark.parametrize("ending", [".pt", ".pth", ".h5"])
def test_pickles_are_not_read(mien, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    path = tmp_path / f"enet_b0_8_va_mtl{ending}"
    path.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    ended = mien("import", "emotiefflib", path, "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "take the .onnx file" in ended.err


def test_without_the_extra(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mien.training.export.emotiefflib", "mien.training.export.emotiefflib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = mien("import", "emotiefflib", tmp_path / "enet_b2_8.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err == f"mien: onnx is not installed; run: {install_command('import')}\n"


def test_start_weights_of_a_face_network(mien, tmp_path: Path) -> None:
    source, out = write_tfjs(tmp_path, faceres_arrays()), tmp_path / "trunk.npz"
    ended = mien("import", "start", source, "--out", out)
    assert ended.code == 0
    assert "faceres, 27 convolutions with 3185088 weights" in ended.out
    assert f'start = "{out}"' in ended.out
    ended = mien("import", "start", tmp_path / "absent.json", "--out", out)
    assert (ended.code, "absent.json: no such file" in ended.err) == (4, True)
    ended = mien("import", "start", source, "--out", tmp_path / "trunk.pt")
    assert (ended.code, "an .npz file" in ended.err) == (2, True)


def test_the_list_ends_with_a_sentence(mien) -> None:
    last = mien("models").out.splitlines()[-1]
    assert last.startswith("mien analyze uses mien-light with mien-points;")


def test_texts_of_a_bundle_cannot_steer_the_terminal(mien, tmp_path: Path) -> None:
    odd = ["clear \x1b[2J the screen \x1f", "right to left \N{RIGHT-TO-LEFT OVERRIDE}"]
    bundle = write_variant(tmp_path / "bundle", limitations=odd)
    card = mien("models", "show", str(bundle)).out
    assert r"clear \x1b[2J the screen \x1f" in card
    assert not {"\x1b", "\x1f", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(card)
    shown = mien("models", "show", str(bundle), "--json").out
    assert not {"\x1b", "\x1f", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(shown)
    assert json.loads(shown)["limitations"] == odd
