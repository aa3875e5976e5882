# What a newcomer types. Everything lives in .venv; nothing is installed elsewhere.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# A candidate counts only if it runs, is one of the supported versions, and can make a virtual environment.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
# Compiling ccxt ahead of use costs more than it ever gives back.
# Tests share nothing: two at a time, a file with its fixtures staying together.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
UNIT := $(PYTEST) -m 'not integration and not recorded and not slow'
# Long, and nothing of core, rules and gates is reached by them alone: coverage is measured without them.
BEYOND_COVERAGE := $(addprefix tests/,test_own_feeds.py collectors/test_contract.py test_isolation.py test_faults.py test_thirty_days.py test_audit.py story)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile
UV ?= uv

.PHONY: help demo test unit integration campaign-kill campaign-guards mutants campaign-rules check lint coverage bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[$$(). a-zA-Z-]+:.*## / { sub(/\$$\(VENV\)/, "$(VENV)", $$1); printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV) ## a ten-day story in three minutes: prints the address of its page
	@exec $(BIN)/hedge-monitor demo

test: coverage ## the whole suite: unit tests with their coverage, then integration tests
	@$(UNIT) $(BEYOND_COVERAGE)
	@$(PYTEST) -m 'integration or recorded or slow'

unit: $(VENV)/.test ## the tests that open no socket
	@$(UNIT)

integration: $(VENV)/.test ## the tests that drive real programs over loopback
	@$(PYTEST) -m integration

campaign-kill: $(VENV)/.test ## kill -9 of the real daemon, sixty times
	@HEDGE_MONITOR_KILLS=60 $(BIN)/python -m pytest -o faulthandler_timeout=600 tests/integration/test_kill.py

campaign-guards: $(VENV)/.test ## takes out each guard in turn and sees its test fail; ONLY='F-015 F-020' for some
	@$(BIN)/python -m tests.guards $(if $(ONLY),--only $(ONLY))

mutants: $(VENV)/.test ## changes a hundred numbers, signs and comparisons of the mathematics, each of which a test must see; SEED=5 for others
	@$(BIN)/python -m tests.mutants $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

campaign-rules: $(VENV)/.test ## measures every rule on the recorded years: episodes, share of time, lead to the next low
	@$(BIN)/python -m tests.campaign_rules

check: lint coverage ## the rules of the house: lint, format, types, import order, coverage of all that thinks

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(VENV)/.test
	$(UNIT) -q --cov --cov-report= $(addprefix --ignore=,$(BEYOND_COVERAGE))
	$(BIN)/coverage report

bench: $(VENV)/.test ## side by side with peers
	@[ -f bench/__main__.py ] || { echo 'there are no benchmarks in this tree' >&2; exit 1; }
	@$(BIN)/python -m bench

.PHONY: $(VENV)
$(VENV): $(VENV)/.run ## the program alone, as .venv/bin/hedge-monitor

$(VENV)/.run: requirements.txt pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 to 3.14 with venv is needed and none was found. Debian: apt install python3 python3-venv. Or: make PYTHON=/path/to/python' >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-test.txt
	@echo 'adding what the tests need'
	@$(PIP) --require-hashes -r requirements-test.txt
	@touch $@

# The build backend is locked with the rest, so that the package is built without fetching anything unpinned.
LOCK = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

lock: ## locks the dependencies anew
	@command -v $(UV) >/dev/null || { echo 'uv is needed: pipx install uv, or: make lock UV=/path/to/uv' >&2; exit 1; }
	@build=$$(mktemp --suffix=.in); trap 'rm -f "$$build"' EXIT; \
	sed -n '/^requires = /s/.*\[\(.*\)\]/\1/p' pyproject.toml | tr -d '" ' | tr ',' '\n' >"$$build"; \
	$(LOCK) pyproject.toml "$$build" --output-file requirements.txt >/dev/null; \
	$(LOCK) --extra test --constraint requirements.txt pyproject.toml "$$build" --output-file requirements-test.txt >/dev/null

clean: ## everything that was made here
	rm -rf $(VENV) .tools node_modules build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
