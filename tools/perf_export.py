# SPDX-License-Identifier: Apache-2.0
"""A common net as an ONNX file; needs the workshop."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from perf_naive import SIZE_PX

_N_CLASSES = 8


def export_b0(path: Path) -> Path:
    """Timm's EfficientNet-B0 with random weights; made once."""
    if not path.is_file():
        draft = path.with_suffix(".partial.onnx")
        network = timm.create_model("efficientnet_b0", num_classes=_N_CLASSES).eval()
        torch.onnx.export(network, (torch.zeros(1, 3, SIZE_PX, SIZE_PX),), str(draft), dynamo=True, external_data=False)
        draft.replace(path)
    return path
