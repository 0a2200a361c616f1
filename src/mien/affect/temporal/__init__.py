# SPDX-License-Identifier: Apache-2.0
"""Affect over time: smoothing, a person's baseline, compound expressions, statistics and intensities of clips."""
