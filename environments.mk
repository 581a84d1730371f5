# The Makefile's virtual environments and other people's programs: each is installed once, from its file of pins.
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet

# PYTHON=path makes the virtual environments with that one. Debian packs ensurepip, which venv needs, into python3-venv.
.venv/bin/pip:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' && exec "$$python" -m venv .venv; \
	done 2>/dev/null; echo 'Python 3.11 or later with venv was not found. Needed: sudo apt-get update && sudo apt-get install -y git make python3 python3-venv' >&2; exit 1
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
	@mkdir -p $(@D) && cp tests/proof/simulator/* $(@D) && cd $(@D) && npm ci --no-audit --no-fund --silent && touch installed

# need-PROGRAM: a program of Debian's, whose package often has the same name.
need-%:
	@command -v $* >/dev/null || { echo 'Needed: sudo apt-get update && sudo apt-get install -y $(or $(PACKAGE),$*)' >&2; exit 1; }
need-cc: PACKAGE := build-essential
need-java: PACKAGE := default-jre-headless
need-npm: PACKAGE := nodejs npm
need-pg_virtualenv: PACKAGE := postgresql
