# SPDX-License-Identifier: Apache-2.0
"""Audio encoders: the port, eGeMAPS, and speech models that the user provides."""
