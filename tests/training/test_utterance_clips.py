# SPDX-License-Identifier: Apache-2.0
"""From clips to scored utterances: sound and faces by `mien features`, a training, and a table, all by the commands."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.cli.main import mien
from mien.core import InputError
from mien.inference import load_sequence
from mien.pipeline import write_utterance_features
from tests.helpers.repository import ROOT
from tests.helpers.spoken_videos import speech_graph, write_spoken_videos

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

RECIPE = """
name = "talk"
[data]
sources = [{ name = "utterances" }]
valid = [{ name = "utterances", split = "valid" }]
[model]
backbone = ""
features = false
[model.sequences]
modalities = [
  { name = "text", kind = "text", n = 64 },
  { name = "audio", kind = "features", n = 1 },
  { name = "vision", kind = "features", n = 1 },
]
steps = 4
encoder = "transformer"
fusion = "late"
width = 8
[heads.sarcasm]
[losses.sarcasm]
name = "bce"
[[stages]]
epochs = 1
batch = 3
peak_lr = 1e-3
"""


def run(*words: object) -> str:
    done = CliRunner().invoke(mien, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_clips_become_scored_utterances(tmp_path: Path) -> None:
    write_spoken_videos(tmp_path / "made", n_frames=20)
    sounds = sorted((tmp_path / "made" / "videos").glob("*.mp4"))
    model = speech_graph(tmp_path / "speech.onnx")
    run("features", *sounds, "--audio", f"onnx={model}", "--out", tmp_path / "sound")
    run("features", ROOT / "docs" / "sample" / "neutral_to_smile.mp4", "--every", 12, "--out", tmp_path / "faces")
    data = tmp_path / "data"
    spoken = write_utterance_features(tmp_path / "sound", data / "features" / "audio")
    seen = write_utterance_features(tmp_path / "faces", data / "features" / "vision", part="scores")
    assert spoken == ("video0", "video1", "video2", "video3")
    assert seen == ("neutral_to_smile",)
    with pytest.raises(InputError, match="have no scores"):
        write_utterance_features(tmp_path / "sound", tmp_path / "none", part="scores")
    sound = np.load(data / "features" / "audio" / "video0.npy")
    faces = np.load(data / "features" / "vision" / "neutral_to_smile.npy")
    assert sound.shape[1] == 3
    assert len(faces) >= 2
    splits = ["train", "train", "train", "valid", "train"]
    lines = ["id,split,text,sarcasm,missing"]
    for row, (name, split) in enumerate(zip((*spoken, *seen), splits, strict=True)):
        lines.append(f"{name},{split},well {row},{row % 2},{'audio' if name in seen else 'vision'}")
    (data / "utterances.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "talk.toml").write_text(RECIPE)
    assert "vision" in run("data", "check", "utterances", data)
    run("train", tmp_path / "talk.toml", "--data", data, "--out", tmp_path / "net", "--threads", 1)
    spec = load_sequence(tmp_path / "net").spec
    assert [(one.name, one.n) for one in spec.modalities] == [("text", 64), ("audio", 3), ("vision", faces.shape[1])]
    run("utterances", data / "utterances.csv", "--model", tmp_path / "net", "--out", tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["modalities"] for row in rows] == ["text|audio"] * 4 + ["text|vision"]
    assert all(0 < float(row["sarcasm"]) < 1 for row in rows)
    printed = [
        json.loads(line)
        for line in run("utterances", data / "utterances.csv", "--model", tmp_path / "net").splitlines()
    ]
    np.testing.assert_allclose([row["sarcasm"] for row in printed], [float(row["sarcasm"]) for row in rows], atol=1e-6)
