# SPDX-License-Identifier: Apache-2.0
"""Challenge submissions: formats, predictions of one or several systems, and files."""
