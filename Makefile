# What a person types. `make` alone lists it. Needs make, git and Python 3.11 or later with venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
STORE_VENV := .venv-store
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_INSTALLED := $(VENV)/.installed-demo
STORE_INSTALLED := $(STORE_VENV)/.installed
BUILD := .build
PROOF_VENV := .venv-proof
PROOF_INSTALLED := $(PROOF_VENV)/.installed
SIMULATOR := $(BUILD)/simulator
SIMULATOR_INSTALLED := $(SIMULATOR)/.installed
LOCK := $(BUILD)/lock
# A virtual environment for each file of requirements.
CLIENTS := $(BUILD)/clients
CLIENTS_INSTALLED := $(patsubst tests/clients/requirements/%.txt,$(CLIENTS)/%/.installed,$(wildcard tests/clients/requirements/*.txt))

# What is pinned must install on the oldest Python that is promised, which many systems still have.
OLDEST_PYTHON := 3.11.0

# PYTHON=/path/to/python makes the virtual environments with that one.
PYTHON ?=
# Modules are compiled when they are first imported: most never are.
PIP_OPTIONS := --disable-pip-version-check --quiet --no-compile
PIP_INSTALL := -m pip install $(PIP_OPTIONS)

# Each file of tests as a whole in one of as many processes as there are processors.
IN_PARALLEL := --numprocesses=auto --dist=loadfile

# As in production, but for a database that nobody has to run; nothing is served.
LIKE_PRODUCTION := env LTD_ENV_FILE=/dev/null LTD_DEBUG=false \
	LTD_SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG \
	LTD_PUBLIC_URL=https://keeper.example.org LTD_TRUSTED_PROXIES=1 \
	LTD_ALLOW_SQLITE=true DATABASE_URL=sqlite://:memory: \
	LTD_STORE_BUCKET=docs LTD_STORE_ROLE_ARN=arn:aws:iam::123456789012:role/upload

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(DEMO_INSTALLED) $(STORE_INSTALLED) ## Play the main job once and check it; SITE=path uploads that folder
	@exec $(BIN)/python -m demo.play

.PHONY: serve
serve: $(DEMO_INSTALLED) $(STORE_INSTALLED) ## Leave the service running on PORT (default 8000) until Ctrl-C
	@exec $(BIN)/python -m demo.serve

.PHONY: test
test: $(INSTALLED) $(STORE_INSTALLED) ## Run the whole suite
	@$(BIN)/python -m pytest -q $(IN_PARALLEL)

.PHONY: test-store
test-store: $(INSTALLED) $(STORE_INSTALLED) ## The contract suite on two stores that enforce policies
	LTD_TEST_STORE=embedded $(BIN)/python -m pytest -q tests/store
	LTD_TEST_STORE=ceph $(BIN)/python -m pytest -q tests/store

.PHONY: test-clients
test-clients: $(INSTALLED) $(STORE_INSTALLED) $(CLIENTS_INSTALLED) ## Uploaders that people use, unmodified, on both stores
	LTD_TEST_STORE=embedded $(BIN)/python -m pytest -q tests/clients tests/workflows
	LTD_TEST_STORE=ceph $(BIN)/python -m pytest -q tests/clients tests/workflows

.PHONY: bench
bench: $(INSTALLED) ## What the main path costs, as a table, beside an older state; also on PostgreSQL where it is installed
	@$(BIN)/python -m tests.bench.main_path $(BENCH)

.PHONY: bench-clients
bench-clients: $(INSTALLED) $(STORE_INSTALLED) $(CLIENTS_INSTALLED) ## Uploads of 2,000 files, beside the same with static keys
	@LTD_TEST_STORE=$${LTD_TEST_STORE:-ceph} $(BIN)/python -m tests.bench.uploads

.PHONY: proof
proof: $(INSTALLED) $(STORE_INSTALLED) $(PROOF_INSTALLED) $(SIMULATOR_INSTALLED) ## Prove the session policy over all inputs; needs Node
	@PROOF_COMPLETE=1 $(BIN)/python -m pytest -q tests/proof

.PHONY: mutants
mutants: $(INSTALLED) $(PROOF_INSTALLED) ## Put bugs back, one by one, and see the tests fail
	@$(BIN)/python -m tests.proof.mutants

.PHONY: test-postgres
test-postgres: $(INSTALLED) ## The tests that touch the database, on a PostgreSQL started for them
	@command -v pg_virtualenv >/dev/null || { echo 'PostgreSQL is needed: sudo apt-get update && sudo apt-get install -y postgresql' >&2; exit 1; }
	@pg_virtualenv sh -c 'LTD_TEST_DATABASE_URL="postgres://$$PGUSER:$$PGPASSWORD@$$PGHOST:$$PGPORT/postgres" \
		$(BIN)/python -m pytest -q $(IN_PARALLEL) -m "not sqlite" tests/builds tests/credentials tests/http tests/oidc'

.PHONY: check
check: check-static check-coverage ## Format, lint, types, imports, migrations, deployment, API, docs, tests

.PHONY: check-static
check-static: check-code check-django check-openapi docs ## All of `check` but the tests

.PHONY: check-code
check-code: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: check-django
check-django: $(INSTALLED)
	$(LIKE_PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	$(LIKE_PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: check-openapi
check-openapi: $(INSTALLED)
	@mkdir -p $(BUILD)
	$(LIKE_PRODUCTION) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file $(BUILD)/openapi.json --format openapi-json
	$(BIN)/openapi-spec-validator $(BUILD)/openapi.json

.PHONY: check-coverage
check-coverage: $(INSTALLED) $(STORE_INSTALLED)
	$(BIN)/python -m pytest -q $(IN_PARALLEL) --cov --cov-report=term-missing

.PHONY: docs
docs: $(DEMO_INSTALLED) ## Build the documentation into .build/docs, warnings are errors
	$(BIN)/python -m sphinx -q -W -n --keep-going -b html docs $(BUILD)/docs

.PHONY: lock
lock: ## Renew constraints.txt: the newest versions that requirements*.txt allow
	@rm -rf $(LOCK) && mkdir -p $(LOCK) && : > $(LOCK)/constraints.txt
	@cp requirements.txt requirements-demo.txt requirements-dev.txt $(LOCK)
	@$(call make_venv,$(LOCK)/venv)
	@$(LOCK)/venv/bin/python $(PIP_INSTALL) --upgrade pip
	@$(LOCK)/venv/bin/python $(PIP_INSTALL) --dry-run --ignore-installed --report $(LOCK)/report.json \
		--python-version $(OLDEST_PYTHON) --only-binary :all: --target $(LOCK)/nowhere \
		-r $(LOCK)/requirements-dev.txt
	@$(LOCK)/venv/bin/python -c "$$PINS_OF_REPORT" < $(LOCK)/report.json > $(LOCK)/made
	@mv $(LOCK)/made constraints.txt

.PHONY: clean
clean: ## Remove everything that make made, virtual environments included
	rm -rf $(BUILD) $(VENV) $(STORE_VENV) $(PROOF_VENV) .demo .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(DEMO_INSTALLED): requirements.txt requirements-demo.txt constraints.txt
	@echo "Making the virtual environment $(VENV) ..."
	@$(call make_venv,$(VENV))
	@echo "Installing requirements-demo.txt into $(VENV) ..."
	@$(BIN)/python $(PIP_INSTALL) -r requirements-demo.txt
	@touch $@

$(INSTALLED): $(DEMO_INSTALLED) requirements-dev.txt
	@echo "Installing requirements-dev.txt into $(VENV) ..."
	@$(BIN)/python $(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(STORE_INSTALLED): requirements-store.txt
	@echo "Making the virtual environment $(STORE_VENV) ..."
	@$(call make_venv,$(STORE_VENV))
	@echo "Installing requirements-store.txt into $(STORE_VENV) ..."
	@$(STORE_VENV)/bin/python $(PIP_INSTALL) -r requirements-store.txt
	@touch $@

$(PROOF_INSTALLED): requirements-proof.txt
	@$(call make_venv,$(PROOF_VENV))
	@echo "Installing requirements-proof.txt into $(PROOF_VENV) ..."
	@$(PROOF_VENV)/bin/python $(PIP_INSTALL) -r requirements-proof.txt
	@touch $@

# The files pin everything, so nothing is resolved; one pip serves all environments.
$(CLIENTS)/%/.installed: tests/clients/requirements/%.txt | $(INSTALLED)
	@echo "Installing $< into $(CLIENTS)/$* ..."
	@$(BIN)/python -m venv --clear --without-pip $(CLIENTS)/$*
	@$(BIN)/python -m pip --python $(CLIENTS)/$*/bin/python install $(PIP_OPTIONS) --no-deps -r $<
	@touch $@

$(SIMULATOR_INSTALLED): $(wildcard tests/proof/simulator/*)
	@command -v npm >/dev/null || { echo 'Node is needed: sudo apt-get update && sudo apt-get install -y nodejs npm' >&2; exit 1; }
	@mkdir -p $(SIMULATOR) && cp tests/proof/simulator/* $(SIMULATOR)
	@cd $(SIMULATOR) && npm ci --no-audit --no-fund --silent
	@touch $@

# The first Python that will do makes the virtual environment $(1). Debian packs ensurepip, which
# venv needs, into python3-venv.
define make_venv
for python in $(if $(PYTHON),'$(PYTHON)',python3.13 python3.12 python3.11 python3); do \
	if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		exec "$$python" -m venv '$(1)'; \
	fi; \
done; \
echo 'Python 3.11 or later with venv is needed, and was not found. On Debian and Ubuntu:' >&2; \
echo '  sudo apt-get update && sudo apt-get install -y git make python3 python3-venv' >&2; \
exit 1
endef

define PINS_OF_REPORT
import json, sys
print("# Every package of the environment, pinned; `make lock` renews this file.")
found = (item["metadata"] for item in json.load(sys.stdin)["install"])
print(*sorted(f"{one['name'].lower()}=={one['version']}" for one in found), sep="\n")
endef
export PINS_OF_REPORT
