# SPDX-License-Identifier: Apache-2.0
"""The process of ``mien``: signals from its first moment, and its exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of this kind are POSIX")

# Raises a signal when a module is imported, as if it came by chance in the middle of all imports.
_STARTED = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background of a shell has it ignored
module, number = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)


from mien.__main__ import run

sys.meta_path.insert(0, Finder())
run()
"""


def program(*arguments: object, code: str = "from mien.__main__ import run; run()") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["click", "numpy", "mien.cli.recordings.analyze", "pyarrow", "cv2", "av"])
def test_a_signal_during_imports_ends_with_130_and_no_traceback(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    done = program(module, int(number), "analyze", tmp_path / "gone.mp4", "--out", tmp_path / "t.csv", code=_STARTED)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_program_that_reads_json_gets_json(tmp_path: Path) -> None:
    arguments = ["analyze", tmp_path / "gone.mp4", "--out", tmp_path / "t.csv", "--log", "json"]
    done = program("numpy", int(signal.SIGINT), *arguments, code=_STARTED)
    assert json.loads(done.stderr)["exit_code"] == done.returncode == 130


def test_the_exit_code_and_all_output_arrive(tmp_path: Path) -> None:
    assert program("analyze").returncode == 2
    gone = program("analyze", tmp_path / "gone.mp4", "--out", tmp_path / "t.csv")
    assert (gone.returncode, gone.stderr[:8]) == (3, "failed: ")
    listed = program("models")
    assert listed.returncode == 0
    assert "mien-light" in listed.stdout


def test_the_process_ends_before_the_interpreter_shuts_down() -> None:
    """Libraries' own clean-up at exit runs; the destructors of modules do not."""
    code = """
import atexit, sys
from mien.__main__ import run

class Late:
    def __del__(self): print("destroyed")

late = Late()
sys.argv[1:] = ["--version"]
try:
    run()
finally:
    atexit.register(print, "registered")
"""
    done = program(code=code)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "registered"


def test_with_a_json_log_an_interrupt_during_imports_is_one_json_line(tmp_path: Path) -> None:
    # The signal comes from a module that is imported once standard error is the pipe of the JSON log.
    (tmp_path / "sitecustomize.py").write_text(
        "import builtins, os, signal\nreal = builtins.__import__\n"
        "def imported(name, *rest, **more):\n"
        "    if name == 'mien.cli.progress':\n"
        "        builtins.__import__ = real\n"
        "        import importlib.abc, sys\n"
        "        class Finder(importlib.abc.MetaPathFinder):\n"
        "            def find_spec(self, name, path, target=None):\n"
        "                sys.meta_path.remove(self)\n"
        "                os.kill(os.getpid(), signal.SIGINT)\n"
        "        sys.meta_path.insert(0, Finder())\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = imported\n"
    )
    python_path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "mien", "analyze", "missing.mp4", "--out", str(tmp_path / "t.csv"), "--log", "json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path},
        check=False,
    )
    assert done.returncode == 130
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["interrupted"]
