# SPDX-License-Identifier: Apache-2.0
"""One module per family of protocols: a data set, a subject and metrics make a report."""
