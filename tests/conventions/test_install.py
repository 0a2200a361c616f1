# SPDX-License-Identifier: Apache-2.0
"""What an installation brings: few packages, a bounded size, the bundle, and nobody's face."""

import hashlib
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from mien.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from tests.helpers.repository import ROOT, run_python
from tests.helpers.requirements import installed_with

MB = 1_000_000
MAX_PACKAGES = 20
# 612 MB were measured on Linux with Python 3.11 (PyArrow 176, OpenCV 160, PyAV 107, ONNX Runtime 80, NumPy 71), and
# a bundle of 14 MB; newer releases of these move it by some tens.
MAX_INSTALLED_BYTES = 750 * MB
MAX_WHEEL_BYTES = 25 * MB
MAX_BUNDLE_BYTES = 20 * MB

PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "mac": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}
WEIGHTS = {".bin", ".ckpt", ".h5", ".npy", ".npz", ".onnx", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".task"}
WEIGHTS |= {".tflite"}
# Tables of data sets hold encoded faces.
DATA = {".arrow", ".feather", ".parquet"}
FORBIDDEN = {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *WEIGHTS, *DATA}
# Nobody's face: the sample that mien renders.
SYNTHETIC = {
    "docs/sample/neutral_to_smile.mp4": "a4c9c5046faa8385e71d1979bd402d3fca58122d8de7170ef27b7963bceff795",
    "mien/affect/explanation/prototypes.jpg": "908f08a087fa283e598e67228fb4745f4948d32e11551473d5e6c1d2b0635d80",
    "docs/sample/two_faces.jpg": "9505ee5b90e7f182f4af59496575da3b15cd643b6af315396cd0946198d10b51",
}
# What `make gallery` makes of that sample, by the list that it writes beside the pictures.
SYNTHETIC |= {
    f"docs/gallery/{name}": digest
    for digest, _, name in (
        line.partition("  ") for line in (ROOT / "docs/gallery/SHA256SUMS").read_text("utf-8").splitlines()
    )
}
MAX_GALLERY_BYTES = 1 * MB
# Longer than any source file may get, shorter than most photos and every clip.
MAX_SOURCE_BYTES = 200_000


@pytest.mark.parametrize("platform", PLATFORMS)
def test_few_packages_are_installed(platform: str) -> None:
    names = installed_with("mien", PLATFORMS[platform])
    assert {"mien", "numpy", "onnxruntime"} <= names
    assert len(names) <= MAX_PACKAGES, sorted(names)


def test_installed_size_is_bounded(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {name: _installed_bytes(name) for name in installed_with("mien") - {"mien"}}
    with zipfile.ZipFile(wheel) as archive:
        sizes["mien"] = sum(entry.file_size for entry in archive.infolist())
    total = sum(sizes.values())
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:6]
    with capsys.disabled():
        parts = ", ".join(f"{name} {sizes[name] / MB:.0f}" for name in largest)
        print(f"\nmien installs {len(sizes)} packages, {total / MB:.0f} MB ({parts})")
    assert total < MAX_INSTALLED_BYTES


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline by the backend that pyproject names."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("mien-*.whl")
    return built


def test_wheel_carries_the_bundle_and_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        size_of = {entry.filename: entry.file_size for entry in archive.infolist()}
    folder = "mien/bundles/mien-light"
    assert {f"{folder}/model.onnx", f"{folder}/model.json", "mien/py.typed"} <= set(size_of)
    assert sum(size for name, size in size_of.items() if name.startswith(f"{folder}/")) < MAX_BUNDLE_BYTES
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import json, mien; from mien.inference import load_bundle\n"
        "print(json.dumps([mien.__file__, [load_bundle(name).spec.name for name in mien.list_bundles()]]))"
    )
    done = run_python("-c", code, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    origin, bundles = json.loads(done.stdout)
    assert Path(origin).is_relative_to(tmp_path)
    assert "mien-light" in bundles


def test_wheel_holds_no_media_and_no_weights_but_bundles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist() if not _is_synthetic(name, archive.read(name))]
    assert [str(name) for name in names if _is_forbidden(name, PurePosixPath("mien/bundles"))] == []


def test_repository_holds_no_media_and_no_weights_but_bundles(files: list[Path]) -> None:
    bundles = PurePosixPath("src/mien/bundles")
    names = [
        PurePosixPath(path.as_posix())
        for path in files
        if not _is_synthetic(path.as_posix().removeprefix("src/"), (ROOT / path).read_bytes())
    ]
    assert [str(name) for name in names if _is_forbidden(name, bundles)] == []
    # A photo under another name would still be large.
    large = [name for name in names if (ROOT / name).stat().st_size > MAX_SOURCE_BYTES]
    assert [str(name) for name in large if not _is_bundle_graph(name, bundles)] == []


def test_pictures_of_the_gallery_are_few_and_small() -> None:
    made = [name for name in SYNTHETIC if name.startswith("docs/gallery/")]
    assert 5 <= len(made) <= 12
    assert sum((ROOT / name).stat().st_size for name in made) < MAX_GALLERY_BYTES


def _is_forbidden(name: PurePosixPath, bundles: PurePosixPath) -> bool:
    return name.suffix.lower() in FORBIDDEN and not _is_bundle_graph(name, bundles)


def _is_synthetic(name: str, content: bytes) -> bool:
    """Whether the file is one of `SYNTHETIC`, to the byte."""
    return name in SYNTHETIC and hashlib.sha256(content).hexdigest() == SYNTHETIC[name]


def _is_bundle_graph(name: PurePosixPath, bundles: PurePosixPath) -> bool:
    return name.name in {"model.onnx", "geometry.bin"} and name.parent.parent == bundles


def _installed_bytes(name: str) -> int:
    """Bytes of the files that a distribution lists; 0 for one that this platform does not install."""
    files = metadata.files(name) or []
    return sum(path.stat().st_size for path in (Path(str(file.locate())) for file in files) if path.is_file())
