# SPDX-License-Identifier: Apache-2.0
"""Faces to affect: decoding of model outputs and the `Analyzer`."""

from mien.affect.ahead import ahead
from mien.affect.analyzer import Analyzer
from mien.affect.decoding import Decoder, activate

__all__ = ["Analyzer", "Decoder", "activate", "ahead"]
