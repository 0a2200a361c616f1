# SPDX-License-Identifier: Apache-2.0
"""Super-resolution of training images: networks behind one port, and whole data sets."""
