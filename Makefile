# make score: install and score the sample. make test: install and run every check. Both keep what is installed in .venv.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: score test test-long flink-test airflow-check bench train-samples dataflow-template dataflow-run lock clean

score: $(INSTALLED)
	$(RUN) -m pipelines.score --runner=DirectRunner

test: $(INSTALLED)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest

# What breaks on purpose, as often as the README's table of reliability says, and every benchmark on a few rows; takes hours.
test-long: $(INSTALLED)
	FULL_COUNTS=1 $(RUN) -m pytest tests/faults tests/bad_rows tests/bad_input tests/security tests/pipelines/test_leftovers.py \
	  tests/pipelines/test_csv_pieces.py tests/transforms/test_read_csv.py tests/benchmarks

# The part of `make test` that needs Java 17 and Maven: builds a job server, and runs Flink as a real cluster on this machine.
flink-test: $(INSTALLED)
	$(RUN) -m tests.flink.install
	REQUIRE_FLINK=1 $(RUN) -m pytest tests/flink

# Airflow is large, so it has an environment of its own; `make test` skips what needs it.
airflow-check: $(INSTALLED)
	$(PYTHON) -m venv build/airflow
	build/airflow/bin/python -m pip install --disable-pip-version-check --quiet 'apache-airflow==3.3.2'
	AIRFLOW_PYTHON=$(CURDIR)/build/airflow/bin/python $(RUN) -m pytest tests/deploy/test_airflow.py

# Everything side by side with what people would write instead; about two hours on 2 cores. BENCH chooses: BENCH='--workloads tabular'.
bench: $(INSTALLED)
	$(RUN) -m tests.benchmarks --json build/benchmarks.json $(BENCH)

# Rebuild what samples/breast_cancer holds, and make samples/digits.
train-samples: $(INSTALLED)
	$(RUN) -m pipelines.train --config configs/train_breast_cancer.yaml --overwrite
	$(RUN) -m pipelines.train --config configs/train_digits.yaml --overwrite

# Print, and do not run, the gcloud commands that build the Dataflow template and start a job from it; see deploy/dataflow/README.md.
dataflow-template:
	@$(PYTHON) deploy/dataflow/commands.py template --project='$(PROJECT)' --region='$(REGION)' --bucket='$(BUCKET)'

dataflow-run:
	@$(PYTHON) deploy/dataflow/commands.py run --project='$(PROJECT)' --region='$(REGION)' --bucket='$(BUCKET)' \
	  --config='$(CONFIG)' --input='$(INPUT)' --model='$(MODEL)' --output='$(OUTPUT)' $(if $(GPU),--gpu)

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
