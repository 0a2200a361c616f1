# SPDX-License-Identifier: Apache-2.0
"""Sound to vectors: the port of audio encoders, eGeMAPS, and a user's speech model."""
