# SPDX-License-Identifier: Apache-2.0
"""Experiments on the systems that learn from doubtful labels: noisy ones, missing ones, and ones of other tasks."""
