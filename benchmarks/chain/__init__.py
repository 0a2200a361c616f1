# SPDX-License-Identifier: Apache-2.0
"""The chain of the LSD challenge on faces that mien draws: super-resolution, fine-tuning and blends of logits."""
