# SPDX-License-Identifier: Apache-2.0
"""One module per data set: a folder as its owners give it away, to typed samples."""
