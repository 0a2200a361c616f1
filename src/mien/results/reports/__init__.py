# SPDX-License-Identifier: Apache-2.0
"""The HTML report of tables: one file that needs no network."""
