# SPDX-License-Identifier: Apache-2.0
"""Training of geometry bundles: landmarks turned to the front, their distances, and partial least squares."""
