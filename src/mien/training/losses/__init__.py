# SPDX-License-Identifier: Apache-2.0
"""Losses of partially labelled samples, and the table of named losses."""
