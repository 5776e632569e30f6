# "make" lists what there is. Needs Python 3.11 or newer, GNU make and the package index.

VENV := .venv
PY   := $(VENV)/bin/python
PORT := $(or $(PORT),8081)
# The first that is new enough; PYTHON=... takes another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c $(NEW_ENOUGH) 2>/dev/null && echo $$python && break; done)
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
# Tests are shared by as many processes as there are cores; tests/conftest.py has the order.
SHARED := --numprocesses=auto --dist=loadfile --no-loadscope-reorder
# What decides: each branch of it is under test; a race that is not met in a run may leave one out.
# Of tickets these are the modules without the web.
TICKETS := checkpoints details door door_params fields importing imports kind params parser periods presence records service setting_lists statistics values
COMMA := ,
SPACE := $(COMMA:,= )
DECIDES := src/cone/tokens/core/*,$(subst $(SPACE),$(COMMA),$(TICKETS:%=src/cone/tokens/tickets/%.py))
NO_VENV := python3-venv is missing: apt-get install python3-venv
stop = { echo "$(1)" >&2; exit 1; }

.DELETE_ON_ERROR:
.PHONY: help run demo test browser fuzz proof bench bench-ui sure lint types translations build format clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: $(VENV)/.installed ## Make a site in var/site and serve it on 127.0.0.1, port 8081 or PORT=...
	@$(PY) config/prepare.py $(PORT)
	@exec $(PY) -m pyramid.scripts.pserve var/site/site.ini

demo: $(VENV)/.installed ## As run, with 500 tokens and a week of uses to look around in
	@$(PY) config/prepare.py $(PORT)
	@$(PY) config/demo.py
	@exec $(PY) -m pyramid.scripts.pserve var/site/site.ini

test: $(VENV)/.installed-test ## Run all tests, those in Chromium where it is found, with the thresholds of coverage
	$(PY) -m pytest -m 'not proof' --cov --durations=40 --durations-min=5 $(SHARED)
	$(PY) -m coverage report --include='$(DECIDES)' --precision=1 --fail-under=99

browser: $(VENV)/.installed-test ## Run the tests in Chromium alone
	$(PY) -m pytest -m browser $(SHARED)

fuzz: $(VENV)/.installed-test ## Try many more inputs than the tests do
	$(PY) -m pytest --numprocesses=auto --hypothesis-profile=fuzz tests/store/test_model.py \
		tests/functional/test_schemathesis.py tests/unit/tickets/test_params.py

proof: $(VENV)/.installed-test ## Run races and crashes for long, with a million tokens
	$(PY) -m pytest -m proof

bench: $(VENV)/.installed-test ## Measure beside a bare application; SHORT=1: its statements above all
	$(PY) -m bench $(if $(SHORT),--short)

bench-ui: $(VENV)/.installed-test ## Measure the pages in Chromium, with a million tokens
	$(PY) -m bench.ui

sure: lint types translations build ## Check everything that needs no test run

lint: $(VENV)/.installed-dev ## Check style and format
	$(PY) -m ruff check
	$(PY) -m ruff format --check

types: $(VENV)/.installed-dev ## Check types
	$(PY) -m mypy

translations: $(VENV)/.installed-dev ## Check that every text is translated
	$(PY) -m pytest -q tests/unit/test_translations.py

build: $(VENV)/.installed-dev ## Build wheel and sdist, install the wheel elsewhere, start it
	rm -rf dist
	$(PY) -m build --quiet --outdir dist
	$(PY) -m twine check --strict dist/*
	$(PY) tests/smoke_wheel.py dist

format: $(VENV)/.installed-dev ## Put the code in order
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

clean: ## Remove what the other targets made, but not var/
	rm -rf $(VENV) build dist src/*.egg-info test-artifacts htmlcov .coverage .coverage.*
	rm -rf .mypy_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ruff_cache -prune -exec rm -rf {} +

# Each stamp is newer than what was installed last: without a change nothing is installed again.
$(VENV)/.installed: pyproject.toml $(VENV)/.made
	$(PY) -m pip install --quiet --editable '.[labels,xlsx]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.made
	$(PY) -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.made
	$(PY) -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

# A .venv that is there and has pip is taken as it is; a failed one is not left behind.
$(VENV)/.made:
	@test -n "$(PYTHON)" || $(call stop,Python 3.11 or newer is missing: PYTHON=... names one)
	@$(PYTHON) -c $(NEW_ENOUGH) 2>/dev/null || $(call stop,$(PYTHON) is not Python 3.11 or newer)
	@test -e $(VENV)/pyvenv.cfg && $(PY) -m pip --version >/dev/null 2>&1 && exit; \
	said=$$($(PYTHON) -m venv $(VENV) 2>&1) && exit; \
	rm -rf $(VENV); \
	case "$$said" in *ensurepip*|*"No module named venv"*) $(call stop,$(NO_VENV)) ;; esac; \
	$(call stop,$$said)
	@touch $@
