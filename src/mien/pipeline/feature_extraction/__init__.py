# SPDX-License-Identifier: Apache-2.0
"""Embeddings and raw scores of every frame to shards, from videos, photos, crops and sound."""
