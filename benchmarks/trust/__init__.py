# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of trust: calibrated uncertainty, explanations, audits and adaptation of a bundle."""
