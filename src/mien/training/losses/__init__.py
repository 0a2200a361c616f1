# SPDX-License-Identifier: Apache-2.0
"""Losses for partially labelled samples, and their registry."""
