# make demo    set up, print the summary of a small CNN, render it to cnn.svg
# make test    set up, run all tests
# make test-quick  the tests that take less than a minute together
# make lint    ruff, mypy --strict, import-linter
# make pictures  render the pictures that README.md and docs/ show
# make gallery  draw 44 models into docs/gallery/ and measure the pictures, and print summaries into docs/summaries.md
# make docs    build the documentation with Sphinx into docs/_build/html, warnings are errors
# make bench   compare speed with the peers, print ratios, write JSON
# make zoo     compare with the truth on real models of many libraries, print what holds, write JSON
# make memory  compare memory with real runs on the CPU, print what holds, write JSON
# make formulas  compare formulas with fresh captures on models of all families, print what holds, write JSON
# make roofline  compare times at best with real times on this machine, print the shares
# make sweep   look at every model of whole libraries without inputs, write docs/coverage.md
#              (hours of CPU time; goes on where it was ended)

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
# timm and torchvision are installed without their dependencies: they would pull another torch.
MODELS := --no-deps timm torchvision
# Both need nothing but torch, and torchao is small.
QUANTIZED := --no-deps bitsandbytes torchao
ZOO := $(MODELS) segmentation_models_pytorch

.PHONY: demo test test-quick lint bench zoo memory formulas roofline sweep pictures gallery clean

demo: .venv/core
	$(BIN)/python docs/examples/cnn.py

test: .venv/test
	$(BIN)/python -m pytest -n auto

test-quick: .venv/test
	$(BIN)/python -m pytest -n auto --quick

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python -m benchmarks.speed

zoo: .venv/zoo
	$(BIN)/python -m benchmarks.zoo --no-inputs

memory: .venv/zoo
	$(BIN)/python -m benchmarks.memory

formulas: .venv/zoo
	$(BIN)/python -m benchmarks.formulas

roofline: .venv/bench
	$(BIN)/python -m benchmarks.roofline

sweep: .venv/zoo
	$(BIN)/python -m benchmarks.sweep --markdown docs/coverage.md

pictures: .venv/core
	mkdir -p docs/pictures
	$(BIN)/fxsummary render docs/examples/cnn.py:CNN --input 1x3x28x28 -o docs/pictures/cnn.svg
	$(BIN)/fxsummary render docs/examples/cnn.py:CNN --input 1x3x28x28 -o docs/pictures/cnn_flops.svg \
		--color flops --direction LR
	$(BIN)/fxsummary render docs/examples/encoder.py:Encoder --input 1x128 -o docs/pictures/encoder.svg
	$(BIN)/fxsummary render docs/examples/encoder.py:Encoder --input 1x128 -o docs/pictures/memory.svg --view memory
	$(BIN)/fxsummary roofline docs/examples/encoder.py:Encoder --input 8x128 -o docs/pictures/roofline.svg
	$(BIN)/fxsummary diff docs/examples/encoder.py:Encoder docs/examples/encoder.py:revised --input 1x128 \
		-o docs/pictures/diff.svg || [ $$? -eq 1 ] # the models differ

gallery: .venv/bench
	$(BIN)/python -m benchmarks.gallery
	$(BIN)/python -m benchmarks.summaries
	$(BIN)/fxsummary table 'torchvision:*' --import zoo.ready -o docs/pictures/table.svg

docs: .venv/docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build cnn.svg model.html model.json

.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch numpy
	$(PIP) -e .
	touch $@

.venv/test: .venv/core
	$(PIP) -e '.[test,models,png,pdf,cluster,integrations]'
	$(PIP) $(MODELS) torchao
	touch $@

.venv/docs: .venv/core
	$(PIP) -e '.[docs]'
	touch $@

.venv/lint: .venv/core
	$(PIP) -e '.[lint]'
	touch $@

.venv/bench: .venv/core
	$(PIP) -e '.[bench,models,png]'
	$(PIP) $(MODELS)
	touch $@

.venv/zoo: .venv/core
	$(PIP) -e '.[models,zoo]'
	$(PIP) $(ZOO)
	$(PIP) $(QUANTIZED)
	touch $@
