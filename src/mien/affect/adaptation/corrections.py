# SPDX-License-Identifier: Apache-2.0
"""Overlay files of `mien adapt`: read, checked against a bundle, and applied to its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mien.core import Adaptation, Float32, ModelError, ModelSpec, PathName, TaskSpec
from mien.inference import read_model_file

_MAX_BYTES = 1_000_000


def load_adaptation(path: PathName, spec: ModelSpec) -> Adaptation:
    """Read an overlay file for a bundle.

    Args:
        path: Path of the file.
        spec: Description of the bundle.

    Raises:
        ModelError: The file is missing, damaged, of an unknown version, or made for other weights.
    """
    content = read_model_file(Path(path), _MAX_BYTES)
    try:
        found = Adaptation.from_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON ({error})") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if found.sha256 != spec.sha256:
        raise ModelError(
            f"{path} was made for the weights {found.sha256[:12]}... of {found.bundle}, and {spec.name} has "
            f"{spec.sha256[:12]}...; run mien adapt again for this bundle"
        )
    for name, correction in found.tasks.items():
        task = spec.task(name)
        strange = sorted(set(correction.bias) - set(task.labels if task else ()))
        if strange:
            raise ModelError(f"{path}: {spec.name} has no {', '.join(strange)} in {name}")
    return found


def corrected(outputs: Mapping[str, Float32], spec: ModelSpec, adaptation: Adaptation | None) -> Mapping[str, Float32]:
    """The raw outputs of a bundle, changed so that its decoder gives the corrected values.

    Args:
        outputs: Output name -> (N, L) raw outputs.
        spec: Description of the bundle.
        adaptation: Adaptation; None changes nothing.
    """
    if adaptation is None:
        return outputs
    changed = dict(outputs)
    for name, correction in adaptation.tasks.items():
        task = spec.task(name)
        if task is not None:
            bias = np.array([correction.bias.get(label, 0.0) for label in task.labels], np.float32)
            moved = outputs[task.output] / np.float32(correction.temperature) + bias * np.float32(task.temperature)
            changed[task.output] = moved
    return changed


def values_before_activation(outputs: Mapping[str, Float32], task: TaskSpec) -> Float32:
    """The logits (N, L) of a task after its temperature, or valence and arousal themselves."""
    return np.asarray(outputs[task.output] / np.float32(task.temperature), np.float32)
