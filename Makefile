# `make demo` and `make test` need Python >= 3.10 and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/demo
TEST_WORKERS ?= 2

.PHONY: demo redner test slow docs fuzz clean

demo: $(VENV)/.installed
	$(BIN)/handrefine demo --out $(OUT) --overwrite

# The backend to compare with: needs a Python 3.8 besides (HANDREFINE_REDNER_PYTHON names it) and 2 GB.
redner: $(VENV)/.installed
	$(BIN)/handrefine doctor --redner

test: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/pytest -m "not slow" --numprocesses $(TEST_WORKERS) --dist loadfile

slow: $(VENV)/.test-installed
	$(BIN)/pytest -m slow

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("handrefine needs Python >= 3.10, this is " + sys.version) if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cpu]'
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cpu,test]'
	touch $@

# Inputs changed at random, in processes that may die; INPUTS of every reader, from SEED on.
INPUTS ?= 2000
fuzz: $(VENV)/.test-installed
	PYTHONPATH=tests:tests/support $(BIN)/python -W ignore -m fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf $(VENV) runs site

# The documentation site, in site/: strict, every link is checked.
docs: $(VENV)/.docs-installed
	$(BIN)/mkdocs build --quiet

$(VENV)/.docs-installed: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cpu,docs]'
	touch $@
