# SPDX-License-Identifier: Apache-2.0
"""Extracts embeddings and raw scores of every frame from videos, photos, crops and sound."""
