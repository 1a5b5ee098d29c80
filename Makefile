# Each target does its own set-up: all it needs is Python >= 3.11 and a package index. Nothing outside this
# folder is touched, except that `make peers` keeps what it built in the user's cache.

# Name a Python with `make PYTHON=…`; else python3, or a newer python3.x beside it, is looked for.
PYTHON ?=
WORKERS ?= auto
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python3
# What measures coverage needs a newer Python than nv2 does.
FUZZ := .venv-fuzz
SECONDS ?= 60
TARGETS ?=
COUNT ?= 5000
REPEAT ?= 20

# An environment knows the folder it was made in: a clone that was moved needs a new one.
ifneq ($(shell cat $(VENV)/.made-in 2>/dev/null),$(CURDIR))
MOVED := moved
endif
ifneq ($(shell cat $(FUZZ)/.made-in 2>/dev/null),$(CURDIR))
FUZZ_MOVED := moved
endif

LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-emit-index-url \
	--no-emit-find-links --python-version
UV := uv>=0.13,<0.14

.PHONY: help demo test check format fuzz differential race peers bench lock clean moved

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.ready-build ## See an image signed, listed, inspected, verified, tampered with and refused
	@$(BIN)/nv2 demo
	@echo 'nv2 is $(BIN)/nv2 here; `pip install .` puts it on the path of an environment'

test: $(VENV)/.ready-dev ## Run every test, against the real programs of other projects too
	@$(PY) -m tests.peers.install --soft
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/.ready-dev ## Format, lint, types, architecture, start-up
	@$(PY) -m ruff format --check --quiet . || { echo 'check: run `make format`' >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@$(PY) -m pytest tests/test_architecture.py tests/test_startup.py

format: $(VENV)/.ready-dev ## Format the code and mend what lint can mend
	@$(PY) -m ruff check --quiet --fix . ; $(PY) -m ruff format .

fuzz: $(FUZZ)/.ready-fuzz ## Run every fuzz target for SECONDS=60, led by coverage
	@$(FUZZ)/bin/python3 -m tests.fuzz $(SECONDS) $(TARGETS)

differential: $(VENV)/.ready-dev ## Let notation and nv2 judge COUNT=5000 mutated signatures
	@$(PY) -m tests.peers.install
	@$(PY) -m tests.differential.run $(COUNT) $(ARGS)

race: $(VENV)/.ready-dev ## Let signers race on real registries, REPEAT=20 times each way
	@$(PY) -m tests.peers.install
	@NV2_RACE_REPEAT=$(REPEAT) $(PY) -m pytest -n $(WORKERS) $(ARGS) tests/interop/test_race.py

peers: $(VENV)/.ready-dev ## Build the programs of other projects that the tests talk to
	@$(PY) -m tests.peers.install

bench: $(VENV)/.ready-dev ## Measure against the same programs
	@$(PY) -m tests.peers.install --soft
	@$(PY) -m benchmarks.run $(ARGS)

lock: $(VENV)/.ready-dev ## Lock the newest dependencies that pyproject.toml allows
	@$(PY) -m pip install --quiet '$(UV)'
	$(LOCK) 3.11 pyproject.toml -o requirements/core.txt
	$(LOCK) 3.11 --group pyproject.toml:build -o requirements/build.txt
	$(LOCK) 3.11 -c requirements/core.txt --group pyproject.toml:dev -o requirements/dev.txt
	$(LOCK) 3.12 -c requirements/core.txt --group pyproject.toml:fuzz -o requirements/fuzz.txt

clean: ## Remove what make made here; built peers stay in the cache
	@rm -rf $(VENV) $(FUZZ) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready-build: scripts/setup pyproject.toml requirements/core.txt requirements/build.txt $(MOVED)
	@PYTHON='$(PYTHON)' sh scripts/setup core build

$(VENV)/.ready-dev: scripts/setup pyproject.toml requirements/core.txt requirements/dev.txt $(MOVED)
	@PYTHON='$(PYTHON)' sh scripts/setup core dev

$(FUZZ)/.ready-fuzz: scripts/setup pyproject.toml requirements/core.txt requirements/build.txt requirements/fuzz.txt $(FUZZ_MOVED)
	@PYTHON='$(PYTHON)' VENV=$(FUZZ) OLDEST=12 sh scripts/setup core build fuzz

moved:
