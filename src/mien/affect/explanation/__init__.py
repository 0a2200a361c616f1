# SPDX-License-Identifier: Apache-2.0
"""Explanations of predictions: saliency, facial parts, time, and rendered faces that look alike to the network."""
