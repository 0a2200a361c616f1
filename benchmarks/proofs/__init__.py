# SPDX-License-Identifier: Apache-2.0
"""Designs of the ABAW challenge systems, tested on FER+ faces."""
