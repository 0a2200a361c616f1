# SPDX-License-Identifier: Apache-2.0
"""Summaries, events and transitions of affect tables."""
