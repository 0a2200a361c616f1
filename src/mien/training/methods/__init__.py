# SPDX-License-Identifier: Apache-2.0
"""Training methods: what a stage minimises in place of the losses of its tasks alone."""
