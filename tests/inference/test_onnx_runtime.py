# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: what differs from other runtimes; what all runtimes share is tested in test_runtime.py."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from mien.core import ModelError
from mien.inference import create_session, find_bundle, onnx_runtime

MODEL = find_bundle("mien-light") / "model.onnx"


@pytest.mark.parametrize("before", [None, "0"])
def test_telemetry_is_off_during_the_import_and_the_environment_stays(before: str | None) -> None:
    script = (
        "import json, os, sys\n"
        "seen = []\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            seen.append(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Finder())\n"
        "import mien.inference.onnx_runtime\n"
        "print(json.dumps([seen, os.environ.get('ORT_DISABLE_TELEMETRY')]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    if before is not None:
        environment["ORT_DISABLE_TELEMETRY"] = before
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout) == [["1"], before]


def test_a_session_has_its_threads_and_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    build = onnx_runtime.onnxruntime.InferenceSession

    def noted(model: Any, options: Any, providers: list[str]) -> Any:
        made.append((options, providers))
        return build(model, options, providers=providers)

    monkeypatch.setattr(onnx_runtime.onnxruntime, "InferenceSession", noted)
    create_session(MODEL, threads=3)
    ((options, providers),) = made
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert providers == ["CPUExecutionProvider"]


def test_a_file_that_is_no_model_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"model of 3 bytes: not a model that ONNX Runtime .* can load"):
        onnx_runtime.load_session(b"abc", threads=1)
