# SPDX-License-Identifier: Apache-2.0
"""Copies of the default bundle with another description."""

import json
import shutil
from pathlib import Path

from mien.inference import find_bundle


def write_variant(folder: Path, **changes: object) -> Path:
    """Write a copy of the default bundle whose ``model.json`` has other values for some keys."""
    shutil.copytree(find_bundle("mien-light"), folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(content | changes), "utf-8")
    return folder


def write_whole(folder: Path) -> Path:
    """Write a copy of the default bundle that reads given crops whole."""
    content = json.loads((find_bundle("mien-light") / "model.json").read_text("utf-8"))
    return write_variant(folder, crop=content["crop"] | {"given": "whole"})
