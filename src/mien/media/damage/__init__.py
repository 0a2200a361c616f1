# SPDX-License-Identifier: Apache-2.0
"""Damaged and missing bytes of video files."""
