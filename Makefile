PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo serve test faults chaos fuzz test-gpu check audit lock locked format bench evaluate data-given clean

help:  ## list these verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

# One stamp a set of extras: nothing is installed again until a requirement changes.
$(VENV)/standalone.stamp: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AMIGO needs Python 3.11 or newer.")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[standalone]'
	@$(PIP) --no-deps mediapipe==0.10.21
	@touch $@

$(VENV)/dev.stamp: $(VENV)/standalone.stamp
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/standalone.stamp  ## turn the example portrait and speech into out/demo.mp4 over HTTP
	@$(BIN)/amigo demo

serve: $(VENV)/standalone.stamp  ## run the whole system on this machine and print its URL
	@$(BIN)/amigo serve

test: $(VENV)/dev.stamp  ## run every test; what this machine lacks is skipped by name
	@$(BIN)/pytest

faults: $(VENV)/dev.stamp  ## kill every process at every step of a job's story, and check what was promised
	@$(BIN)/pytest tests/faults -m ""

chaos: $(VENV)/dev.stamp  ## break a loaded system at random and check every promise: make chaos [MINUTES=10] [SEED=1]
	@$(BIN)/python -m tests.faults.chaos --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

fuzz: $(VENV)/dev.stamp  ## throw damaged files and requests at every parser: make fuzz MINUTES=10
	@$(BIN)/pytest tests/security -m thorough
	@$(BIN)/python -m tests.security.fuzz --minutes $(or $(MINUTES),10)

test-gpu: $(VENV)/dev.stamp  ## run the tests that need a CUDA device
	@$(BIN)/pytest tests/gpu

check: $(VENV)/dev.stamp  ## formatting, lint, types, import rules, container files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

audit: $(VENV)/dev.stamp  ## look for known vulnerabilities in the pinned packages
	@$(BIN)/python .ci/audit.py

lock: $(VENV)/dev.stamp  ## write down the digests of every pinned package's files
	@$(BIN)/uv pip compile --quiet constraints.txt --no-deps --no-emit-package torch \
		--generate-hashes --no-header --no-annotate --output-file requirements.lock

locked:  ## install every package but torch, from files with those digests alone
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements.lock

format: $(VENV)/dev.stamp  ## format the code and fix what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## measure this machine: seconds a stage, real-time factor, requests a second, error of the ETA
	@$(BIN)/python -m benchmarks

evaluate: data-given $(VENV)/dev.stamp  ## measure both stages: make evaluate DATA=folder [OUT=out/evaluation] [CLIPS=n]
	@$(BIN)/python -m models.evaluation --data $(DATA) --out $(or $(OUT),out/evaluation) $(if $(CLIPS),--clips $(CLIPS))

data-given:
	@test -d "$(DATA)/clips" || { echo "make evaluate needs DATA=folder, the validation clips as docs/evaluation.md lays them out; '$(DATA)' holds no clips." >&2; exit 2; }

clean:  ## remove the environment, the output and the standalone system's data
	rm -rf $(VENV) out var
