# What a person types; `make` alone lists it. Needs make, git and Python 3.11 or later with venv.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.* \#\# .*/\1/p' Makefile)
DEMO := .venv/installed-demo .venv-store/installed
DEV := .venv/installed-dev .venv-store/installed
CLIENTS := $(patsubst tests/clients/requirements/%.txt,.build/clients/%/installed,$(wildcard tests/clients/requirements/*.txt))
# Modules whose assertions pytest has rewritten are kept, which saves each worker ten seconds.
PYTEST := env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest -q
PARALLEL := --numprocesses=auto --dist=loadfile
MANAGE := env -i PATH="$$PATH" LTD_ENV_FILE=tests/production.env .venv/bin/python manage.py

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
faults: need-pg_virtualenv need-redis-server need-cc $(DEV) ## Break servers, databases, disks and STS under load; a table says what was lost
	@LTD_TEST_FAULTS=$${LTD_TEST_FAULTS:-full} $(PYTEST) -m faults tests/faults
soak: need-pg_virtualenv $(DEV) $(CLIENTS) ## Work on the service in every way for SOAK minutes (default 30) and see that nothing grows
	@$(PYTEST) tests/soak
test-store: $(addprefix test-store-,$(or $(STORE),embedded ceph)) ## Run the contract suite on two stores, or on STORE=ceph18, ceph20, ceph20-account, seaweedfs
test-store-%: $(DEV)
	LTD_TEST_STORE=$* $(PYTEST) tests/store
test-store-seaweedfs: .venv-seaweedfs/installed
test-store-ceph18 test-store-ceph20 test-store-ceph20-account: test-store-%: need-debootstrap
	tests/store/in_debian.sh $(if $(filter %18,$@),trixie,forky) env LTD_TEST_STORE=$(subst ceph18,ceph,$(subst ceph20,ceph,$*)) \
		/venv/bin/python -m pytest -q -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true tests/store
test-clients: test-clients-embedded test-clients-ceph ## Upload with programs that people use, unmodified, to both stores
test-clients-%: $(DEV) $(CLIENTS)
	LTD_TEST_STORE=$* $(PYTEST) tests/clients tests/workflows
test-browser: need-chromium $(DEV) .venv/installed-browser ## Look at every page of the admin in a browser, and use it by keyboard
	@$(PYTEST) tests/browser
	@LTD_TEST_STORE=ceph $(PYTEST) tests/browser/test_flows.py -k refused_by_the_store
test-postgres: need-pg_virtualenv $(DEV) ## Run the tests that touch the database on a PostgreSQL started for them
	@LTD_TEST_DATABASE_URL=postgres:///postgres pg_virtualenv -o fsync=off $(PYTEST) $(PARALLEL) -m 'not sqlite'
test-spark: need-java $(DEV) .venv-spark/installed ## Have Spark and the reader find the same in CloudTrail's logs; needs Java
	@PYTHONPATH=$$(echo .venv-spark/lib/python*/site-packages) $(PYTEST) tests/spark
proof: need-npm $(DEV) .venv-proof/installed .build/simulator/installed ## Prove the session policy over all inputs, and search the source; needs Node
	@PROOF_COMPLETE=1 $(PYTEST) tests/proof
mutants: $(DEV) .venv-proof/installed ## Put bugs back, one by one, and see the tests fail; MUTANTS=1/2 tries half
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
screenshots: need-chromium $(DEV) .venv/installed-browser ## Make the pictures of the admin in docs/images
	@.venv/bin/python -m tests.browser.screenshots
bench: $(DEV) ## Measure the main path, beside an older state, and the audits at a twentieth of their size
	@.venv/bin/python -m tests.bench.main_path $(BENCH)
	@$(if $(BENCH),,.venv/bin/python -m tests.bench.audits --scale 0.05 --database sqlite)
bench-audits: $(DEV) ## Time audits, compacting and pruning with a million sessions and five million records
	@.venv/bin/python -m tests.bench.audits $(BENCH)
bench-clients: $(DEV) $(CLIENTS) ## Time uploads of 2,000 files, beside the same with static keys
	@LTD_TEST_STORE=$${LTD_TEST_STORE:-ceph} .venv/bin/python -m tests.bench.uploads
lock: .venv/bin/pip ## Pin what pyproject.toml asks for in requirements*.txt; UPGRADE=1 takes the newest
	@deploy/lock.sh
release: .venv-release/installed ## Build the last commit's wheel, list its components (SBOM) and hash them
	@deploy/release.sh
container: need-buildah ## Build the image ltdkeeper:VERSION with Buildah from BASE, an image with Python 3.11 or later
	@deploy/image.sh
container-base: need-buildah need-debootstrap ## Make the image ltdkeeper-base from Debian's packages, for those who use no registry; as root
	@deploy/base_image.sh
clean: ## Remove everything that make made, virtual environments included
	rm -rf .build .venv .venv-* .demo .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

include environments.mk
