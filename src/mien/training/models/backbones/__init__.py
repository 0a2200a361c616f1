# SPDX-License-Identifier: Apache-2.0
"""Backbones with one interface: pixels (N, C, H, W) to features (N, ``num_features``)."""

from mien.training.models.backbones.registry import BACKBONES, Backbone, create_backbone

__all__ = ["BACKBONES", "Backbone", "create_backbone"]
