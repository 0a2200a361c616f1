# SPDX-License-Identifier: Apache-2.0
"""OpenFace 2.2's CSV format, written and read."""
