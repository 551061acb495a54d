PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
# Test processes, two per core: most tests wait for others. tests/conftest.py decides which tests share one.
TEST_PROCESSES ?= 4
TEST = $(BIN)/pytest -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder
# The tests start hundreds of processes; each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

# Hypothesis's plugin loads Hypothesis at the end of a run, which no unit test uses.
QUICK := -p no:hypothesispytest
WITH_TORCH := tests/unit/amigo tests/unit/models tests/unit/workers
RENDER := tests/integration/models/test_choices.py::test_a_full_composition_is_the_portrait_outside_the_face

.DEFAULT_GOAL := help
.PHONY: help docs dashboards demo serve test test-quick quick-with-torch quick-without-torch faults chaos fuzz containers test-gpu check audit lock locked client-tools format bench evaluate data-given clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

# One stamp file per set of extras: nothing is reinstalled until a requirement changes.
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

demo: $(VENV)/standalone.stamp  ## generate out/demo.mp4 from the example portrait and speech over HTTP
	@$(BIN)/amigo demo

serve: $(VENV)/standalone.stamp  ## run the whole system on this machine and print its URL
	@$(BIN)/amigo serve

test: $(VENV)/dev.stamp  ## run all tests; tests that need missing tools are skipped and listed
	@$(TEST)

test-quick: $(VENV)/dev.stamp  ## run the unit tests and one render, for the daily loop
	@$(MAKE) --no-print-directory --keep-going --jobs 2 --output-sync=target quick-with-torch quick-without-torch

# Two runs side by side, of which one alone takes the seconds that torch takes to load.
quick-with-torch:
	@$(BIN)/pytest $(QUICK) $(WITH_TORCH) "$(RENDER)"

quick-without-torch:
	@$(BIN)/pytest $(QUICK) tests/unit $(WITH_TORCH:%=--ignore=%)

faults: $(VENV)/dev.stamp  ## kill every process at every step of a job and check the guarantees
	@$(BIN)/pytest tests/faults -m ""
	@$(BIN)/pytest tests/integration -m thorough

chaos: $(VENV)/dev.stamp  ## inject random faults under load and check the guarantees: make chaos [MINUTES=10] [SEED=1]
	@$(BIN)/python -m tests.faults.chaos --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

fuzz: $(VENV)/dev.stamp  ## fuzz every parser with damaged files and requests: make fuzz MINUTES=10
	@$(BIN)/pytest tests/security -m thorough
	@$(BIN)/python -m tests.security.fuzz --minutes $(or $(MINUTES),10)

containers: $(VENV)/dev.stamp  ## build both images, run the system from them with docker or podman, and check it
	@$(BIN)/pytest tests/containers -m "" -s

test-gpu: $(VENV)/dev.stamp  ## run the tests that need a CUDA device
	@$(BIN)/pytest tests/gpu

check: $(VENV)/dev.stamp  ## check formatting, lint, types, import rules and container files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

audit: $(VENV)/dev.stamp  ## look for known vulnerabilities in the pinned packages
	@$(BIN)/python .ci/audit.py

lock: $(VENV)/dev.stamp  ## write the file digests of all pinned packages to requirements.lock
	@$(BIN)/uv pip compile --quiet constraints.txt --no-deps --no-emit-package torch \
		--generate-hashes --no-header --no-annotate --output-file requirements.lock

locked:  ## install all packages except torch, with verified digests
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements.lock

client-tools: .tools/stamp  ## install the linters of the OpenAPI document and the client generators that tests use

# Whatever cannot be installed is missing from its tests, which then say so.
.tools/stamp: tests/e2e/clients/package-lock.json tests/e2e/clients/requirements.txt
	@mkdir -p .tools
	@cp tests/e2e/clients/package.json tests/e2e/clients/package-lock.json .tools/
	@if command -v npm >/dev/null; then npm ci --prefix .tools --ignore-scripts --no-audit --no-fund --silent \
		|| echo "npm could not install the client tools; their tests are skipped." >&2; fi
	@$(PYTHON) -m venv .tools/python
	@.tools/python/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r tests/e2e/clients/requirements.txt \
		|| echo "pip could not install the client tools; their tests are skipped." >&2
	@touch $@

docs: $(VENV)/dev.stamp  ## write docs/settings.md from the settings classes
	@$(BIN)/python -m docs.generate_settings

dashboards: $(VENV)/dev.stamp  ## write Grafana's dashboards from their code
	@$(BIN)/python -m deploy.grafana

format: $(VENV)/dev.stamp  ## format the code and apply ruff's fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## benchmark this machine: seconds per stage, real-time factor, requests per second, ETA error
	@$(BIN)/python -m benchmarks

evaluate: data-given $(VENV)/dev.stamp  ## evaluate both stages: make evaluate DATA=folder [OUT=out/evaluation] [CLIPS=n]
	@$(BIN)/python -m models.evaluation --data $(DATA) --out $(or $(OUT),out/evaluation) $(if $(CLIPS),--clips $(CLIPS))

data-given:
	@test -d "$(DATA)/clips" || { echo "make evaluate needs DATA=folder, the validation clips as docs/evaluation.md lays them out; '$(DATA)' holds no clips." >&2; exit 2; }

clean:  ## remove the environment, the output and the standalone system's data
	rm -rf $(VENV) out var
