# SPDX-License-Identifier: Apache-2.0
"""eGeMAPS descriptors by openSMILE (extra ``audio``)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import numpy as np

from mien.core import ConfigError, Float32, Float64, MissingExtraError

_RATE_HZ = 16_000
_MIN_SAMPLES = 1600  # openSMILE gives no step for less than its longest window of 60 ms


class EGemaps:
    """An `AudioEncoder`: the 25 low-level descriptors of eGeMAPS v02, one vector every 10 ms.

    Loudness, spectral slopes, pitch, jitter, shimmer, formants (Eyben et al., IEEE Trans. Affective Computing 2016).
    Blocks are analysed one by one: within the last 60 ms of a block a few steps are missing. A last block of less
    than a tenth of a second is left out.

    Args:
        smile: An ``opensmile.Smile`` of low-level descriptors.
        version: Version of openSMILE.
    """

    name = "egemaps"

    def __init__(self, smile: Any, version: str) -> None:
        self._smile = smile
        self.digest = f"opensmile {version} eGeMAPSv02 LowLevelDescriptors"
        self.labels: tuple[str, ...] = tuple(smile.feature_names)
        self.n_features = len(self.labels)

    def encode(self, blocks: Iterable[Float32]) -> Generator[tuple[Float64, Float32], None, None]:
        """The descriptors of a stream, block by block; see `mien.affect.AudioEncoder.encode`."""
        start_s = 0.0
        for block in blocks:
            if len(block) >= _MIN_SAMPLES:
                frame = self._smile.process_signal(block, _RATE_HZ)
                begins = frame.index.get_level_values("start").total_seconds()
                yield start_s + np.asarray(begins, np.float64), np.asarray(frame.to_numpy(), np.float32)
            start_s += len(block) / _RATE_HZ


def create_egemaps(value: str | None) -> EGemaps:
    """The encoder ``egemaps`` of the table of encoders.

    Args:
        value: Text behind ``=``, which must be absent.

    Raises:
        ConfigError: A text follows the name.
        MissingExtraError: The package openSMILE is not installed.
    """
    if value is not None:
        raise ConfigError(f"egemaps takes no file, got {value!r}")
    try:
        import opensmile
    except ImportError as error:
        raise MissingExtraError("opensmile", "audio") from error
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    return EGemaps(smile, opensmile.__version__)
