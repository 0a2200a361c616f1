# SPDX-License-Identifier: Apache-2.0
"""Descriptions of bundles that read no pixels."""
