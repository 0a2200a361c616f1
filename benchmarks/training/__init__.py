# SPDX-License-Identifier: Apache-2.0
"""Studies that train one recipe several times: ablation, seeds, speed of the training loop."""
