# SPDX-License-Identifier: Apache-2.0
"""Affect tables to other tables and files: smoothed, summarised, converted, reported."""
