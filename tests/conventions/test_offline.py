# SPDX-License-Identifier: Apache-2.0
"""mien reaches no network: not on import, not on a photo, not on the command line, not by telemetry."""

import json
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import mien
from mien.media import VideoWriter, load_image, save_image
from tests.helpers.offline import EXIT_CODE
from tests.helpers.repository import ROOT, run_python

RUNTIMES = [
    "onnxruntime",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(find_spec("openvino") is None, reason="the extra mien[openvino] is not installed"),
    ),
]


@pytest.fixture
def photo(tmp_path: Path, astronaut: npt.NDArray[np.uint8]) -> Path:
    """A portrait as a file."""
    path = tmp_path / "photo.png"
    save_image(path, astronaut)
    return path


def run_offline(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(str(ROOT / "tests/helpers/offline.py"), code, *arguments)


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import urllib.request as u\ntry: u.urlopen('http://example.invalid')\nexcept OSError: pass",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
        "import subprocess; subprocess.run(['true'])",
    ],
    ids=["connect", "swallowed", "datagram", "child"],
)
def test_the_guard_notices(attempt: str) -> None:
    assert run_offline(attempt).returncode == EXIT_CODE


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid", "::ffff:192.0.2.1"])
def test_every_test_is_offline(host: str) -> None:
    import socket

    with pytest.raises(OSError, match="tests reach no network"):
        socket.create_connection((host, 80), timeout=0.1)
    with (
        closing(socket.socket(type=socket.SOCK_DGRAM)) as datagrams,
        pytest.raises(OSError, match="tests reach no network"),
    ):
        datagrams.sendto(b"", ("192.0.2.1", 9))


def test_import_reaches_no_network() -> None:
    done = run_offline("import mien\nfor name in mien.__all__: getattr(mien, name)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_analyzer_works_offline(photo: Path, runtime: str) -> None:
    code = "import sys, mien\nprint(len(mien.Analyzer(runtime=sys.argv[2], threads=1).image(sys.argv[1])))"
    done = run_offline(code, str(photo), runtime)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_command_line_works_offline(photo: Path, tmp_path: Path, runtime: str) -> None:
    table = tmp_path / "table.csv"
    code = "import sys; from mien.cli import main; main(sys.argv[1:])"
    arguments = ["analyze", str(photo), "--out", str(table), "--runtime", runtime, "--threads", "1"]
    done = run_offline(code, *arguments)
    assert done.returncode == 0, done.stderr
    assert mien.read_table(table).num_rows == 1


def test_commands_on_tables_work_offline(photo: Path, tmp_path: Path) -> None:
    # One process: each start takes seconds. The last command's code is what counts, so all of them must be 0.
    code = (
        "import json, sys\n"
        "from mien.cli import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    try: main(arguments)\n"
        "    except SystemExit as ended: assert not ended.code, arguments\n"
    )
    clip, table, named = tmp_path / "clip.mp4", tmp_path / "table.parquet", tmp_path / "named.parquet"
    portrait = load_image(photo)
    with VideoWriter(clip, 512, 512, fps=25, threads=1) as writer:
        for index in range(12):
            writer.write(portrait, index / 25)
    commands = [
        ["analyze", clip, "--out", table, "--threads", "1", "--openface", tmp_path / "of.csv"],
        ["analyze", clip, "--out", table, "--threads", "1", "--overlay", tmp_path / "o.mp4", "--overlay-anonymous"],
        ["tracks", table, "--merge", "0=patient", "--out", named, "--thumbnails", tmp_path / "faces"],
        ["convert", named, "--out", tmp_path / "named.csv", "--faces", "person=patient"],
        ["convert", named, "--to", "openface", "--out", tmp_path / "of2.csv"],
        ["smooth", named, "--out", tmp_path / "rest.parquet", "--va", "2", "--baseline", "person"],
    ]
    done = run_offline(code, json.dumps([list(map(str, command)) for command in commands]))
    assert done.returncode == 0, done.stderr
    assert mien.read_table(tmp_path / "rest.parquet").num_rows == 12


def test_onnx_runtime_leaves_nothing_in_the_home(photo: Path, tmp_path: Path) -> None:
    # Its native code would send what it stores there; no hook of Python's sees that.
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "os.environ.update(dict.fromkeys(('HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'TMPDIR'), sys.argv[2]))\n"
        "import mien; mien.Analyzer(threads=1).image(sys.argv[1]); assert 'ORT_DISABLE_TELEMETRY' not in os.environ"
    )
    done = run_offline(code, str(photo), str(home))
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []


def test_telemetry_of_onnx_runtime_is_switched_off(photo: Path) -> None:
    # Only builds for Windows have such events, so no socket would tell.
    code = (
        "import sys, onnxruntime\n"
        "asked = []\n"
        "onnxruntime.disable_telemetry_events = lambda: asked.append(True)\n"
        "make = onnxruntime.InferenceSession\n"
        "def session(*a, **k):\n"
        "    assert asked, 'a session before telemetry was switched off'\n"
        "    return make(*a, **k)\n"
        "onnxruntime.InferenceSession = session\n"
        "import mien\n"
        "mien.Analyzer(threads=1).image(sys.argv[1])\n"
        "assert asked"
    )
    done = run_offline(code, str(photo))
    assert done.returncode == 0, done.stderr
