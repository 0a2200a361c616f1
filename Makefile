# SPDX-License-Identifier: Apache-2.0
# Short names for what CONTRIBUTING describes. PYTHON chooses the environment: make test PYTHON=python3.13

PYTHON ?= .venv/bin/python
MIEN_DATA ?= ../shared/data
ABLATION ?= ../ablation
PROOFS ?= ../proofs
RESULTS ?= ../results
SEEDS ?= ../seeds
CLIP ?= $(MIEN_DATA)/video/single_face.mp4

.PHONY: setup format lint type test slow test-train docs docs-train site ablation seeds results bench scale proofs quality tracking adaptive performance training-speed

setup:
	python3 -m venv .venv
	.venv/bin/python -m pip install -e '.[test]'

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-cache

# Without torch the workshop cannot be checked: test-train does that.
type:
	$(PYTHON) -m mypy --exclude '^src/mien/training/'

test:
	$(PYTHON) -m pytest

slow:
	$(PYTHON) -m pytest -m slow

# The workshop brings torch: about 6 GB.
test-train:
	$(PYTHON) -m pip install -e '.[test,train]'
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest tests/training

docs:
	$(PYTHON) docs/columns.py > docs/columns.md
	$(PYTHON) -m mien models show > docs/model-card.md

# Needs the workshop.
docs-train:
	$(PYTHON) docs/recipe_keys.py > docs/recipe-keys.md

# In an environment of its own: the site's tools are no business of mien's.
site:
	python3 -m venv build/site-tools
	build/site-tools/bin/python -m pip install --quiet 'mkdocs-material>=9.6'
	build/site-tools/bin/mkdocs build --quiet

# Hours: see tools/ablation.toml. It goes on where it stopped, row by row.
ablation:
	$(PYTHON) tools/ablation.py --data $(MIEN_DATA) --work $(ABLATION) --page docs/ablation.md

# Hours, too: five stages once, then the last ones with each seed.
seeds:
	$(PYTHON) tools/seeds.py --data $(MIEN_DATA) --work $(SEEDS) --page docs/seeds.md

# mien's training loop beside a plain one; a quarter of an hour on a quiet machine.
training-speed:
	$(PYTHON) tools/training_speed.py --data $(MIEN_DATA)

# Hours on two cores; it goes on where it stopped. The speeds again, on a quiet machine: add ONLY='--only speed'.
results:
	$(PYTHON) -m mien reproduce --data $(MIEN_DATA) --work $(RESULTS) --page docs/results.md $(ONLY)

bench:
	$(PYTHON) -m mien bench $(CLIP)

# What challenge systems are worth on faces at hand: an hour on a busy machine; features and heads are kept in PROOFS.
proofs:
	$(PYTHON) tools/proofs.py --data $(MIEN_DATA) --work $(PROOFS) --page docs/proofs-abaw.md

# A thousand clips; millions of rows through evaluation and smoothing, a million to a head (workshop, 3 GB of disk).
scale:
	$(PYTHON) tools/scale_files.py
	$(PYTHON) tools/scale.py
	$(PYTHON) tools/scale_heads.py

# Fits the quality of faces anew, and measures it; minutes.
quality:
	$(PYTHON) tools/quality.py --data $(MIEN_DATA)

# TrackEval in an environment of its own: it brings an OpenCV that clashes with mien's.
tracking:
	python3 -m venv build/tracking-tools
	build/tracking-tools/bin/python -m pip install --quiet 'trackeval>=1.3,<2'
	$(PYTHON) tools/tracking.py --data $(MIEN_DATA) --scorer build/tracking-tools/bin/python

adaptive:
	$(PYTHON) tools/adaptive.py $(addprefix $(MIEN_DATA)/video/,cry_to_laugh.mp4 several_faces.mp4 single_face.mp4 webcam_talk.mp4)

# Speed beside peers, memory, precisions; about a quarter of an hour on a quiet machine. PEERS="--mediapipe-python PATH ...".
performance:
	$(PYTHON) tools/performance.py --data $(MIEN_DATA) --work build/performance $(PEERS)
