# SPDX-License-Identifier: Apache-2.0
"""The training engine: stages, checkpoints, optimisation, validation, target providers."""
