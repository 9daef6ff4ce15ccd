# make demo, make test: each creates .venv, installs what is missing and runs. A second time neither needs the network.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
# Two cores are easily oversubscribed: one thread a process unless said otherwise.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint install clean
install: $(INSTALLED)

$(INSTALLED): pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"bbo needs Python 3.11 or later, this is {sys.version}"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[sklearn,dev]'
	touch $@

demo: install
	$(BIN)/bbo run welded-beam --trials 40 --seed 0 --storage demo/bbo.db --plots demo
	$(BIN)/bbo run gradient-boosting-diabetes --trials 30 --seed 0 --storage demo/bbo.db --plots demo

test: install
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p bbo
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) demo build *.egg-info
