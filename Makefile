# make score: install and score the sample. make test: install and run every check. Both keep what is installed in .venv.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: score test bench train-samples lock clean

score: $(INSTALLED)
	$(RUN) -m pipelines.score --runner=DirectRunner

test: $(INSTALLED)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest

bench: $(INSTALLED)
	$(RUN) -m tests.benchmarks.tabular

# Rebuild what samples/breast_cancer holds, and make samples/digits.
train-samples: $(INSTALLED)
	$(RUN) -m pipelines.train --config configs/train_breast_cancer.yaml --overwrite
	$(RUN) -m pipelines.train --config configs/train_digits.yaml --overwrite

# Needs uv. One lock for every supported Python version.
lock:
	uv pip compile setup.py --extra test --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info scores samples/digits .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): requirements.lock setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(RUN) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@
