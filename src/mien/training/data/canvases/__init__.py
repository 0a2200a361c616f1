# SPDX-License-Identifier: Apache-2.0
"""Training pictures of a face detector: canvases with faces of all sizes, and what is known of each face."""
