# SPDX-License-Identifier: Apache-2.0
"""mien reads facial affect in the wild: expression, valence, arousal and action units for every face."""

from mien._version import __version__

__all__ = ["__version__"]
