PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS  ?= tests
JOBS   ?= auto
SECONDS ?= 600
KILLS   ?= 100
MINUTES ?= 5

.DEFAULT_GOAL := help
.PHONY: help run test lint format typecheck unit bench fuzz soak torture outage lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# The first SDK that speaks the seed's dialect cannot share an environment with the current one.
$(VENV)/sdk-1.14.3/.done: $(VENV)/.runtime requirements/sdk-1.14.3.txt
	test -x $(VENV)/sdk-1.14.3/bin/python || $(BIN)/python -m venv $(VENV)/sdk-1.14.3
	$(VENV)/sdk-1.14.3/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/sdk-1.14.3.txt
	@touch $@

# JSON Schema's own test suite comes with the source distribution of jsonschema.
$(VENV)/json-schema-suite/.done: $(VENV)/.dev requirements/suite.txt
	rm -rf $(@D) && mkdir -p $(@D)
	$(PIP) download --no-deps --no-binary jsonschema --no-build-isolation --require-hashes -r requirements/suite.txt -d $(@D)
	tar -xzf $(@D)/jsonschema-*.tar.gz -C $(@D) --strip-components 1
	@touch $@

run: $(VENV)/.runtime  ## gateway, admin listener and an embedded upstream on loopback
	@$(BIN)/gateway demo $(ARGS)

test: lint unit  ## everything CI runs

lint: $(VENV)/.dev  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(VENV)/.dev $(VENV)/sdk-1.14.3/.done $(VENV)/json-schema-suite/.done  ## the tests, JOBS at a time, with branch coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(JOBS) --dist loadfile $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## CPU per request beside nginx and a plain aiohttp gateway
	$(BIN)/python -m tests.bench

soak: $(VENV)/.dev  ## endurance under hostile load, SECONDS=600
	$(BIN)/python -m tests.bench.soak --seconds $(SECONDS)

torture: $(VENV)/.dev  ## kill the gateway under load, KILLS=100 times in each mode, and check its ledger
	$(BIN)/python -m tests.bench.torture --kills $(KILLS)

outage: $(VENV)/.dev  ## PostgreSQL gone for MINUTES=5 under load, and back
	$(BIN)/python -m tests.bench.outage --minutes $(MINUTES)

fuzz: $(VENV)/.dev  ## look for inputs that break an invariant, for SECONDS (600)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

lock:  ## resolve the hashed requirement lists anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev -c requirements/runtime.txt -o requirements/dev.txt
	echo hatchling editables | tr ' ' '\n' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements/build.txt
	printf 'openai==1.14.3\nhttpx<0.28\n' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements/sdk-1.14.3.txt
	echo jsonschema | uv pip compile -q --no-deps --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements/suite.txt

clean:
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz
