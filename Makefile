# make score: install and score the sample. make test: install and run every check. Both keep what is installed in .venv.
# Another interpreter and another place: make VENV=build/python-3.12 PYTHON=python3.12 score
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

# One empty file for each step of installing in VENV: libraries that running needs, with them this program, and all else that tests need.
LIBRARIES := $(VENV)/.libraries
RUNTIME := $(VENV)/.requirements.lock
TESTING := $(VENV)/.requirements-test.lock
AIRFLOW := build/airflow/.airflow.lock

# Nothing is resolved when somebody installs: a lock names everything, so pip is not to look for more (--no-deps), and a package without a
# wheel is built with the setuptools of the runtime lock, never with one that pip fetches (--no-build-isolation; --use-pep517 builds it
# in the same way with every pip).
INSTALL := -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --use-pep517
INSTALL_LOCK := $(INSTALL) --require-hashes --requirement
CHECK := -m pip --disable-pip-version-check check

# Workers of the tests, and the hundred programs that they start, import the same files: so what Python compiles is kept, whatever the
# environment says.
unexport PYTHONDONTWRITEBYTECODE

# Tests run on so many workers at once, which take them in the order of tests/support/turns.py: the longest first. They are forked from
# one process that has imported all tests: imports took as long as a fifth of the quick ones.
WORKERS ?= 2
TESTS := tests.support.forked_workers --workers $(WORKERS)
# Quick tests wait for a quarter of their time: a third worker takes 17 s of 2 min 17 s, and a fourth brings nothing more.
QUICK_WORKERS ?= 3
QUICK_TESTS := tests.support.forked_workers --workers $(QUICK_WORKERS) --in_memory -m "not program and not slow"
# mypy keeps one core busy, and the tests begin by waiting for one another: so they run at once. What mypy says comes last.
define TYPES_AND_TESTS
@mkdir -p build
$(1) -m mypy > build/mypy.log 2>&1 & mypy=$$!; \
$(1) -m $(2); tests=$$?; \
wait $$mypy; types=$$?; cat build/mypy.log; test $$tests -eq 0 && test $$types -eq 0
endef
define QUICK
$(1) -m ruff format --check .
$(1) -m ruff check .
$(call TYPES_AND_TESTS,$(1),$(QUICK_TESTS) $(2))
endef

.PHONY: score test quick quick-tests libraries test-long mutants newest pythons libraries-of-pythons flink-test airflow-check servers bench gpu-check train-samples dataflow-template dataflow-run lock clean

# SCORE adds flags: SCORE='--output elsewhere'.
score: $(RUNTIME)
	$(RUN) -m pipelines.score --runner=DirectRunner $(SCORE)

test: $(TESTING)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m tests.support.builds
	$(call TYPES_AND_TESTS,$(RUN),$(TESTS))

# The part of `make test` for while one writes: what starts no program.
quick: $(TESTING)
	$(call QUICK,$(RUN))

# The tests of it alone.
quick-tests: $(TESTING)
	$(RUN) -m $(QUICK_TESTS)

# What breaks on purpose, as often as the table in docs/reliability.md says, every benchmark on a few rows, and every engine; takes hours.
test-long: $(TESTING)
	FULL_COUNTS=1 $(RUN) -m pytest tests/faults tests/bad_rows tests/bad_input tests/security tests/pipelines/scoring/test_stale_runs.py \
	  tests/pipelines/test_csv_split.py tests/transforms/formats/test_csv.py tests/transforms/formats/test_csv_blocks.py \
	  tests/model_zoo/steps/test_image.py tests/benchmarks tests/gpu tests/object_stores tests/flink tests/remote tests/model_zoo/engines \
	  tests/pipelines/packing/converters/test_sklearn_own.py tests/pipelines/runners/test_portable_runners.py

# What the tests prove: small mistakes made on purpose, one at a time, and promises broken on purpose; which test finds each? About an hour.
# MUTANTS chooses: MUTANTS='--rooms storage --count 50 --seed 7'. What lives makes a pass over all quick tests, but
# with --own_files or --near_files.
mutants: $(TESTING)
	$(RUN) -m tests.mutants $(MUTANTS)
	$(RUN) -m tests.mutants.promises --most 1

# What nobody has locked yet: the newest versions that setup.py allows today. Resolved on purpose, so it can fail though nothing here has
# changed; then a new release is to be looked at, or setup.py to be narrowed. Tests of the locks are left out: these are other versions.
newest:
	$(PYTHON) -m venv --clear build/newest
	build/newest/bin/python -m pip install --quiet --upgrade pip
	build/newest/bin/python -m pip install --quiet --editable '.[test]'
	$(call QUICK,build/newest/bin/python,--ignore=tests/installation)

# The main job and the quick tests on the other supported interpreters, each in an environment of its own, as far as they are there: on
# PATH, or where pyenv keeps them. One that is found may still not run. Lint and types are those of `make quick`: mypy checks for Python
# 3.11 whatever it runs on.
define ON_PYTHON
@for python in python$* $(HOME)/.pyenv/versions/$*.*/bin/python$*; do \
  if $$python -c '' 2>/dev/null; then \
    rm -rf build/scores-$*; \
    exec $(MAKE) VENV=build/python-$* PYTHON=$$python SCORE='--output build/scores-$*' $(1); \
  fi; \
done; echo "python$* does not run on this machine: left out"
endef

pythons: python-3.12 python-3.13

python-%:
	+$(call ON_PYTHON,score quick-tests)

# To have their libraries at once: make -j2 libraries-of-pythons. pip keeps less than one core busy.
libraries-of-pythons: libraries-of-3.12 libraries-of-3.13

libraries-of-%:
	+$(call ON_PYTHON,libraries)

libraries: $(LIBRARIES)

# The part of `make test` that needs Java 17 and Maven: builds a job server, and runs Flink as a real cluster on this machine.
flink-test: $(TESTING)
	$(RUN) -m tests.flink.install
	REQUIRE_FLINK=1 $(RUN) -m pytest tests/flink

# Airflow is large, so it has an environment and a lock of its own; `make test` skips what needs it.
airflow-check: $(TESTING) $(AIRFLOW)
	AIRFLOW_PYTHON='$(CURDIR)/build/airflow/bin/python' $(RUN) -m pytest tests/deploy/test_airflow.py

# The model servers that jobs are tested with, each in an environment of its own. `make test` makes those of every day; the others, and
# what only they show, are this.
servers: $(TESTING)
	$(RUN) -m tests.remote.environments
	REQUIRE_SERVERS=1 $(RUN) -m pytest tests/remote

# Everything side by side with what people would write instead; about two hours on 2 cores. BENCH chooses: BENCH='--workloads tabular'.
bench: $(TESTING)
	$(RUN) -m tests.benchmarks --json build/benchmarks.json $(BENCH)

# What only a GPU can show, on the first one, in under 8 minutes: a table for docs, and build/gpu_check.json. A small part of it without
# one: make gpu-check GPU_CHECK="--device cpu --size 0.01".
gpu-check: $(TESTING)
	$(RUN) -m tests.gpu $(GPU_CHECK)

# Rebuild what samples/breast_cancer holds, and make samples/digits.
train-samples: $(TESTING)
	$(RUN) -m pipelines.train --config configs/train_breast_cancer.yaml --overwrite
	$(RUN) -m pipelines.train --config configs/train_digits.yaml --overwrite

# Print, and do not run, the gcloud commands that build the Dataflow template and start a job from it; see deploy/dataflow/README.md.
dataflow-template:
	@$(PYTHON) deploy/dataflow/commands.py template --project='$(PROJECT)' --region='$(REGION)' --bucket='$(BUCKET)'

dataflow-run:
	@$(PYTHON) deploy/dataflow/commands.py run --project='$(PROJECT)' --region='$(REGION)' --bucket='$(BUCKET)' \
	  --config='$(CONFIG)' --input='$(INPUT)' --model='$(MODEL)' --output='$(OUTPUT)' $(if $(GPU),--gpu)

# Needs uv, and what `make test` installed. Each lock holds for every supported Python and machine; what two of them share has one version.
# Versions stay as they are in the files while setup.py allows them. One newer: make lock UPGRADE='--upgrade-package numpy'. All:
# make lock UPGRADE=--upgrade. What torch needs of networkx is held at what nncf takes.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet $(UPGRADE)
lock:
	printf 'setuptools>=77\nnetworkx<3.7\n' | $(LOCK) setup.py - -o requirements.lock
	$(LOCK) setup.py --extra test -c requirements.lock -o requirements-test.lock
	$(LOCK) setup.py --extra dataflow --extra gcs --extra images --extra texts --extra onnx --extra remote -c requirements.lock -o deploy/dataflow/requirements.lock
	echo 'apache-airflow==3.3.2' | $(LOCK) - -o tests/deploy/airflow.lock
	echo 'mlserver==1.7.1' | $(LOCK) - -c requirements-test.lock -o tests/remote/mlserver.lock
	echo 'kserve==0.21.0' | $(LOCK) - -o tests/remote/kserve.lock
	printf 'tensorflow-protobuf==2.11.0\ngrpcio\nnumpy\n' | $(LOCK) - -c requirements-test.lock -o tests/remote/tensorflow.lock
	printf 'torchserve==0.12.0\ntorch-model-archiver==0.12.0\n' | $(LOCK) - --no-emit-package enum-compat -c requirements-test.lock -o tests/remote/torchserve.lock
	printf 'nvidia-pytriton==0.7.0\nnumpy==1.26.4\n' | $(LOCK) - --no-deps -o tests/remote/triton.lock
	$(RUN) -m tests.installation.requires

clean:
	rm -rf $(VENV) build *.egg-info scores samples/digits .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Where the lock has changed, the environment is made anew, so that it holds what is locked and nothing that was.
$(LIBRARIES): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	@test ! -e $(VENV) || test -e $(VENV)/pyvenv.cfg || { echo "$(VENV) is there, and no virtual environment: remove it, or make VENV=..."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) $(INSTALL_LOCK) requirements.lock --only-binary :all:
	touch $@

$(RUNTIME): $(LIBRARIES) setup.py pyproject.toml
	$(RUN) $(INSTALL) --editable .
	$(RUN) $(CHECK)
	touch $@

$(TESTING): $(RUNTIME) requirements-test.lock
	$(RUN) $(INSTALL_LOCK) requirements-test.lock
	$(RUN) $(CHECK)
	touch $@

$(AIRFLOW): tests/deploy/airflow.lock
	$(PYTHON) -m venv --clear build/airflow
	build/airflow/bin/python $(INSTALL_LOCK) tests/deploy/airflow.lock --only-binary :all:
	build/airflow/bin/python $(CHECK)
	touch $@
