# `make demo` and `make test` each set up all they need, once, and then run; `make` alone lists the rest.
# A fresh machine needs Python 3.11 or later, gcc, node, make and git. Once installed, nothing uses the network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What runs the server, and that plus what tests it: each lock file has a stamp that says it is installed.
RUNTIME := $(VENV)/requirements.installed
TESTING := $(VENV)/requirements-test.installed
# Prebid.js, a VAST player's parser and axe-core, from npm, for the tests that try the server with them.
PACKAGES := tests/npm/node_modules/.package-lock.json
MACHINE := chromium wrk fonts-noto-core postgresql
export ADSERVER_FAULT_RUNS ?= 2
# The tests start hundreds of servers and commands: none shall compile all of our modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two targets never install into one environment at once.
.NOTPARALLEL:
.PHONY: help demo test bench bench-large sim faults screens lint format lock tag plotly clean browser wrk npm engines

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## the demo newsroom with ads and reports on 127.0.0.1:8000
	$(BIN)/adserver demo

test: $(TESTING) lint browser ## everything that must hold: lint, types, tests in a real browser
	@$(MAKE) --no-print-directory npm || echo 'Going on without npm: the tests with Prebid.js and a VAST parser are skipped.'
	@$(MAKE) --no-print-directory engines || echo 'Going on without it: what needs it is skipped.'
	@$(MAKE) --no-print-directory wrk || echo 'Going on without wrk: the test of the benchmarks is skipped.'
	ADSERVER_REQUIRE_BROWSER=$(if $(ADSERVER_NO_BROWSER),,1) $(BIN)/python -m pytest

bench: $(TESTING) wrk browser ## requests per second and CPU per request, as ratios to a bare ASGI app; cost of the tag
	$(BIN)/python -m tests.benchmarks

bench-large: $(TESTING) ## ten million events: what one more costs, and how long each report of them takes
	$(BIN)/python -m tests.benchmarks.large

sim: $(TESTING) ## a news site's week, played by ours and others: how much of what was possible each made of it
	$(BIN)/python -m tests.simulation $(SIM)

faults: export ADSERVER_FAULT_RUNS = 100
faults: $(TESTING) ## kill -9 under load, 100 times; full and broken disks, power failures, a clock that is set
	$(BIN)/python -m pytest --numprocesses 0 tests/faults

screens: $(TESTING) browser ## screenshots of newsroom and report into var/screens
	$(BIN)/python -m tests.browser.screens

lint: $(TESTING) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(TESTING) ## put the code in its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: | $(BIN)/python ## choose versions anew and write both lock files (network)
	$(PIP) install 'uv>=0.13,<0.14'
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group build --extra test --constraints requirements.lock --output-file requirements-test.lock

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --no-config --upgrade --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command 'make lock'

tag: $(TESTING) ## build tag.min.js from its modules; it is committed
	$(BIN)/python -m tests.browser.tag_build

plotly: ## bundle plotly.js again from npm (node, network); the bundle is committed
	cd dashboards/vendor && npm ci --ignore-scripts && node build.mjs

clean: ## remove what was installed, generated and cached
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis dashboards/vendor/node_modules tests/npm/node_modules
	find adserver dashboards tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo '$(PYTHON) is missing or older than 3.11; try: make PYTHON=python3.11 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { \
		echo '$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: %.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r $<
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Programs that come from the machine, not from PyPI: root gets them from apt, others are told.
HAS_CHROMIUM = test -n '$(ADSERVER_CHROMIUM)' || command -v chromium || command -v google-chrome
APT = apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(MACHINE)

browser:
	@test -n '$(ADSERVER_NO_BROWSER)' || { $(HAS_CHROMIUM); } >/dev/null || { test "$$(id -u)" = 0 && $(APT); } || { \
		echo 'The tests need Chromium: apt-get install $(MACHINE), or ADSERVER_NO_BROWSER=1 to go without' >&2; exit 1; }

npm: $(PACKAGES)

$(PACKAGES): tests/npm/package-lock.json
	cd tests/npm && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

wrk:
	@command -v wrk >/dev/null || { test "$$(id -u)" = 0 && $(APT); } || { \
		echo 'The benchmarks need wrk: apt-get install $(MACHINE)' >&2; exit 1; }

# Servers that the tests start themselves, on ports of their own.
HAS_POSTGRES = ls /usr/lib/postgresql/*/bin/postgres || command -v postgres

engines:
	@{ $(HAS_POSTGRES); } >/dev/null 2>&1 || { test "$$(id -u)" = 0 && $(APT); } || { \
		echo 'The tests of the catalog on PostgreSQL need it: apt-get install $(MACHINE)' >&2; exit 1; }
