# What a person types; `make` alone lists it. Needs make, git and Python 3.11 or later with venv.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)
DEMO := .venv/installed-demo .venv-store/installed
DEV := .venv/installed-dev .venv-store/installed
BROWSER := $(DEV) .venv/installed-browser
CLIENTS := $(patsubst tests/clients/requirements/%.txt,.build/clients/%/installed,$(wildcard tests/clients/requirements/*.txt))
# Modules whose assertions pytest has rewritten are kept, which saves each worker ten seconds.
PYTEST := env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest -q
PARALLEL := --numprocesses=auto --dist=loadfile
MANAGE := env -i PATH="$$PATH" LTD_ENV_FILE=tests/production.env .venv/bin/python manage.py
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
COMPILE := .build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-strip-extras --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
ALONE := $(PIP) --python .build/alone/bin/python install --no-compile --no-deps
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' ltdkeeper/__init__.py)
needs = command -v $(1) >/dev/null || { echo 'Needed: sudo apt-get update && sudo apt-get install -y $(2)' >&2; exit 1; }

help: ## Show this list
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

## Try
demo: $(DEMO) ## Play the main job once and check it; SITE=path uploads that folder
	@exec .venv/bin/python -m demo.play
serve: $(DEMO) ## Leave the service running on PORT (default 8000) until Ctrl-C
	@exec .venv/bin/python -m demo.serve

## Test
test: $(DEV) ## Run what takes a minute together; T=path runs that place, failed ones first
	@$(PYTEST) $(if $(T),--failed-first $(T),--numprocesses=auto --dist=worksteal -m 'not slow')
test-slow: $(DEV) ## Run the tests that start servers and other processes, the demo among them
	@$(PYTEST) $(PARALLEL) -m 'slow and not faults'
faults: $(DEV) ## Break servers, databases, disks and STS under load; a table says what was lost
	@$(call needs,pg_virtualenv,postgresql); $(call needs,redis-server,redis-server); \
	$(call needs,cc,build-essential); \
	LTD_TEST_FAULTS=$${LTD_TEST_FAULTS:-full} $(PYTEST) -m faults tests/faults
soak: $(DEV) $(CLIENTS) ## Work on the service in every way for SOAK minutes (default 30) and see that nothing grows
	@$(call needs,pg_virtualenv,postgresql); $(PYTEST) tests/soak
test-store: $(addprefix test-store-,$(or $(STORE),embedded ceph)) ## Run the contract suite on two stores, or on STORE=ceph18, ceph20, ceph20-account, seaweedfs
test-store-%: $(DEV)
	LTD_TEST_STORE=$* $(PYTEST) tests/store
test-store-seaweedfs: $(DEV) .venv-seaweedfs/installed
	LTD_TEST_STORE=seaweedfs $(PYTEST) tests/store
test-store-ceph18 test-store-ceph20 test-store-ceph20-account:
	@$(call needs,debootstrap,debootstrap)
	tests/store/in_debian.sh $(if $(filter %18,$@),trixie,forky) env LTD_TEST_STORE=ceph$(if $(filter %-account,$@),-account) \
		/venv/bin/python -m pytest -q -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true tests/store
test-clients: test-clients-embedded test-clients-ceph ## Upload with programs that people use, unmodified, to both stores
test-clients-%: $(DEV) $(CLIENTS)
	LTD_TEST_STORE=$* $(PYTEST) tests/clients tests/workflows
test-browser: $(BROWSER) ## Look at every page of the admin in a browser, and use it by keyboard
	@$(call needs,chromium,chromium); $(PYTEST) tests/browser
	@LTD_TEST_STORE=ceph $(PYTEST) tests/browser/test_flows.py -k refused_by_the_store
test-postgres: $(DEV) ## Run the tests that touch the database on a PostgreSQL started for them
	@$(call needs,pg_virtualenv,postgresql); \
	LTD_TEST_DATABASE_URL=postgres:///postgres pg_virtualenv -o fsync=off $(PYTEST) $(PARALLEL) -m 'not sqlite'
test-spark: $(DEV) .venv-spark/installed ## Have Spark and the reader find the same in CloudTrail's logs; needs Java
	@$(call needs,java,default-jre-headless); PYTHONPATH=$$(echo .venv-spark/lib/python*/site-packages) $(PYTEST) tests/spark
proof: $(DEV) .venv-proof/installed .build/simulator/installed ## Prove the session policy over all inputs; needs Node
	@PROOF_COMPLETE=1 $(PYTEST) tests/proof
mutants: $(DEV) .venv-proof/installed ## Put bugs back, one by one, and see the tests fail
	@.venv/bin/python -m tests.proof.mutants
fuzz: $(DEV) .venv-fuzz/installed ## Try over 100,000 inputs on everything that reads one; FUZZ=100 tries so many of each kind
	@FUZZ_EXAMPLES=$(or $(FUZZ),2000) $(PYTEST) -p tests.fuzz.plugin $(T)
	@$(if $(T),,PYTHONPATH=$$(echo .venv-fuzz/lib/python*/site-packages) .venv/bin/python -m tests.fuzz.guided $(or $(FUZZ_SECONDS),30))
test-all: test test-slow faults soak test-store test-clients test-browser test-postgres test-spark proof mutants fuzz ## Run all of these, one after the other

## Maintain
check: check-static ## Run the static checks, and the tests of `make test` and `test-slow` with coverage
	@$(PYTEST) $(PARALLEL) -m 'not faults' --cov --cov-report=term-missing
check-static: $(DEV) docs ## Check format, lint, spelling, types, imports, migrations, deployment, API, documentation
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/typos
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) check --deploy --fail-level WARNING
	$(MANAGE) spectacular --validate --fail-on-warn --file .build/openapi.json --format openapi-json
	.venv/bin/openapi-spec-validator .build/openapi.json
docs: $(DEMO) ## Build the documentation into .build/docs; warnings are errors
	.venv/bin/python -m sphinx -q -W -n --keep-going -b html docs .build/docs
screenshots: $(BROWSER) ## Make the pictures of the admin in docs/images
	@$(call needs,chromium,chromium); .venv/bin/python -m tests.browser.screenshots
bench: $(DEV) ## Measure the main path, beside an older state, and the audits at a twentieth of their size
	@.venv/bin/python -m tests.bench.main_path $(BENCH)
	@$(if $(BENCH),,.venv/bin/python -m tests.bench.audits --scale 0.05 --database sqlite)
bench-audits: $(DEV) ## Time audits, compacting and pruning with a million sessions and five million records
	@.venv/bin/python -m tests.bench.audits $(BENCH)
bench-clients: $(DEV) $(CLIENTS) ## Time uploads of 2,000 files, beside the same with static keys
	@LTD_TEST_STORE=$${LTD_TEST_STORE:-ceph} .venv/bin/python -m tests.bench.uploads
lock: .venv/bin/pip ## Pin what pyproject.toml asks for in requirements*.txt; UPGRADE=1 takes the newest
	$(PIP) install --upgrade --target .build/uv uv
	$(COMPILE) pyproject.toml --group dev --output-file requirements-dev.txt
	$(COMPILE) pyproject.toml --group demo --constraint requirements-dev.txt --output-file requirements-demo.txt
	$(COMPILE) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	for each in browser spark; do \
		$(COMPILE) --group $$each --constraint requirements-dev.txt --output-file requirements-$$each.txt || exit; \
	done
	$(subst 3.11,3.9,$(COMPILE)) client/pyproject.toml --output-file client/requirements.txt
	for each in fuzz store proof release seaweedfs; do $(COMPILE) --group $$each --output-file requirements-$$each.txt || exit; done
release: .venv-release/installed ## Build the last commit's wheel, list its components (SBOM) and hash them
	rm -rf .build/release .build/source .build/alone && mkdir -p .build/release .build/source
	git archive HEAD | tar -x -C .build/source
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(PIP) --python .venv-release/bin/python wheel \
		--no-deps --no-build-isolation --wheel-dir .build/release .build/source
	cp .build/source/requirements.txt .build/release
	.venv/bin/python -m venv --without-pip .build/alone
	$(ALONE) --require-hashes -r requirements.txt
	$(ALONE) .build/release/*.whl
	sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > .build/alone/pyproject.toml
	.venv-release/bin/cyclonedx-py environment --pyproject .build/alone/pyproject.toml \
		--output-reproducible --output-file .build/release/ltdkeeper-$(VERSION).cdx.json .build/alone
	.venv-release/bin/kubernetes-validate --strict --quiet deploy/kubernetes*.yml
	cd .build/release && sha256sum *[!S] | tee SHA256SUMS
container: ## Build the image ltdkeeper:VERSION with Buildah from BASE, an image with Python 3.11 or later
	@$(call needs,buildah,buildah); buildah build $(BUILDAH) --format docker $(if $(BASE),--build-arg BASE=$(BASE)) \
		--file deploy/Containerfile --tag ltdkeeper:$(VERSION) .
container-base: ## Make the image ltdkeeper-base from Debian's packages, for those who use no registry; as root
	@$(call needs,buildah,buildah); $(call needs,debootstrap,debootstrap)
	rm -rf .build/base && debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm .build/base
	rm -rf .build/base/var/cache/apt/* .build/base/var/lib/apt/lists/*
	base=$$(buildah from scratch) && buildah add --quiet $$base .build/base / && buildah commit --rm $$base ltdkeeper-base
clean: ## Remove everything that make made, virtual environments included
	rm -rf .build .venv .venv-* .demo .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# PYTHON=path makes the virtual environments with that one. Debian packs ensurepip, which venv needs, into python3-venv.
.venv/bin/pip:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' && exec "$$python" -m venv .venv; \
	done 2>/dev/null; echo 'Python 3.11 or later with venv was not found.' >&2; $(call needs,,git make python3 python3-venv)
# One pip serves all environments. Modules are compiled when they are first imported: most never are.
define install
@echo 'Installing $< into $(1) ...'
@[ $(1) = .venv ] || .venv/bin/python -m venv --clear --without-pip $(1)
@$(PIP) --python $(1)/bin/python install --no-compile --no-deps $(2) -r $<
@touch $@
endef
.venv/installed-%: requirements-%.txt | .venv/bin/pip
	$(call install,.venv,--require-hashes)
# One after the other: two that write the same package at a time leave half of it.
.venv/installed-dev: | .venv/installed-demo
.venv/installed-browser: | .venv/installed-dev
.venv-%/installed: requirements-%.txt | .venv/bin/pip
	$(call install,.venv-$*,--require-hashes)
.build/clients/%/installed: tests/clients/requirements/%.txt | .venv/bin/pip
	$(call install,.build/clients/$*)
.build/simulator/installed: $(wildcard tests/proof/simulator/*)
	@$(call needs,npm,nodejs npm)
	@mkdir -p $(@D) && cp tests/proof/simulator/* $(@D) && cd $(@D) && npm ci --no-audit --no-fund --silent && touch installed
