# `make demo` and `make test` work as the very first command on a fresh checkout;
# all they need is make and python3 >= 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check integration gen freeze bench bench-servers lock clean

demo: $(READY)
	@$(BIN)/python tests/demo.py

test: $(READY)
	@$(BIN)/python -m pytest -q -n auto

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/metasnapshot-codegen --check

# Starts PostgreSQL and MariaDB on loopback by itself, and stops them.
integration: $(READY)
	@$(BIN)/python -m pytest -q -n 2 integration_tests

gen: $(READY)
	@$(BIN)/metasnapshot-codegen

freeze: $(READY)
	@$(BIN)/metasnapshot-codegen --freeze

bench: $(READY)
	@$(BIN)/python tests/bench/bench.py

# Needs PostgreSQL, MariaDB and the schema scripts of the golden set.
bench-servers: $(READY)
	@PYTHONPATH=$(CURDIR)/tests:$(CURDIR)/integration_tests $(BIN)/python tests/bench/restores.py

# Pins every dependency with hashes; needs uv.
lock:
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The lock goes in first, with hashes; then this project itself, which can have none.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11"; echo "hint: make PYTHON=python3.12 ..."; exit 2; }
	@echo "preparing $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "hint: on Debian and Ubuntu, apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
