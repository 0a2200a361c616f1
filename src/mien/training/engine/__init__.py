# SPDX-License-Identifier: Apache-2.0
"""The training loop: stages, checkpoints, optimisation, validation, targets from teachers."""
