# SPDX-License-Identifier: Apache-2.0
"""One module per data set, which reads the folder that its owners distribute into typed samples."""
