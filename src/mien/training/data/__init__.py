# SPDX-License-Identifier: Apache-2.0
"""Training data: sources, images, feature vectors, and the batches of an epoch."""
