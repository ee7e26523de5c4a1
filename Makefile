# `make demo` and `make test` need python3 and the package index; nothing else.
#
#   make demo           the whole pipeline on a real picture; writes ./demo
#   make test           the tests that need no training library
#   make lint           style and types
#   make test-export    all tests, with PyTorch and the export toolchain
#   make bundle DATA=…  export every network into edge/bundles/default (needs the data packs)
#   make figures DATA=… the README's figures, measured now (needs the data packs)
#   make proof DATA=… WEIGHTS=…  strangers' networks through the export, into docs/foreign.md
#   make bench          how fast this machine is: benchmarks/results, docs/speed.md, README
#   make peers          one masked face against the networks of others, timed in one run
#                       (WEIGHTS=… for a chain of public networks, too)
#   make test-systemd   the service under a real systemd, in a container (root, Debian)
#   make test-arm64     the runtime tests on emulated arm64, Debian 12 and 13 (root, Debian)
#   make test-guest     the service in an emulated arm64 machine whose camera is unplugged 20 times
#   make crash          SIGKILL 500 times while enrolling and logging, full disks, brokers that die
#   make soak MINUTES=60  a clip played round through the service: memory, descriptors, threads
#   make trt-symbols    TensorRT's names again, from its real bindings (Python 3.11, gcc)
#   make clean          remove what the others made

PYTHON ?= python3
# From the plain index this is the GPU build, gigabytes of it; where your index offers one:
#   make test-export TORCH=torch==2.13.0+cpu
TORCH ?= torch==2.13.0

PIP_INSTALL = bin/pip install --quiet --disable-pip-version-check

.DELETE_ON_ERROR:
.PHONY: demo test lint test-export bundle figures bench proof peers clean
.PHONY: crash soak test-systemd test-arm64 test-guest trt-symbols

demo: .venv/demo.stamp
	.venv/bin/python -m benchmarks.demo

test: .venv/test.stamp
	.venv/bin/python -m pytest

lint: .venv/test.stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

test-export: .venv-export/export.stamp
	.venv-export/bin/python -m pytest

bundle: needs-data .venv-export/export.stamp
	.venv-export/bin/edge-export make --format tflite onnx --int8 --data "$(DATA)" \
	    --out edge/bundles/default

figures: needs-data demo
	.venv/bin/python -m models.training.pairs --data "$(DATA)" --out runs/pairs
	.venv/bin/python -m models.training.pairs --data "$(DATA)" --pack lfw --out runs/pairs-lfw
	.venv/bin/python -m benchmarks.readme --data "$(DATA)" --pairs runs/pairs runs/pairs-lfw
	.venv/bin/python -m benchmarks.demo.poster demo docs/demo.jpg

proof: needs-data needs-weights .venv-export/export.stamp
	.venv-export/bin/python -m export.proof --data "$(DATA)" --weights "$(WEIGHTS)" \
	    --work runs/proof --out benchmarks/results/foreign.json --page docs/foreign.md

bench: .venv/test.stamp
	.venv/bin/python -m benchmarks.suite

# Rivals have environments of their own: their libraries are not ours, nor one another's.
PEERS = $(RESULTS)/peers.json
RESULTS = benchmarks/results/$(shell .venv/bin/python -m benchmarks.suite.steps)
RIVALS = --rival seeds=.venv-peers/bin/python --rival deepface=.venv-deepface/bin/python \
    --rival insightface=.venv-insightface/bin/python

ifneq ($(WEIGHTS),)
RIVALS += --rival public=.venv-public/bin/python --weights "$(WEIGHTS)" --emotion runs/peers/emotion.tflite
peers: needs-weights .venv-public/peers.stamp runs/peers/emotion.tflite
endif

peers: .venv/test.stamp .venv-peers/peers.stamp .venv-deepface/peers.stamp .venv-insightface/peers.stamp
	.venv/bin/python -m benchmarks.peers.race $(RIVALS) --out $(PEERS)

runs/peers/emotion.tflite: | .venv-peers/peers.stamp
	.venv-peers/bin/python -m benchmarks.peers.convert \
	    "$(WEIGHTS)/xception-oarriaga/fer2013_mini_XCEPTION.102-0.66.hdf5" $@

# Proofs on whole systems: docs/proofs.md. They take minutes to an hour, say what is missing, and
# write benchmarks/results/system; some need root.
MINUTES ?= 60
SYSTEM = .venv/bin/python -m tests.system

crash: .venv/test.stamp
	$(SYSTEM).crash
	$(SYSTEM).disk_full
	$(SYSTEM).outages

soak: .venv/test.stamp
	$(SYSTEM).soak --minutes $(MINUTES)

test-systemd: .venv/test.stamp
	$(SYSTEM).systemd

test-arm64: .venv/test.stamp
	$(SYSTEM).arm64

test-guest: .venv/test.stamp
	$(SYSTEM).guest
	$(SYSTEM).power_cut

trt-symbols: .venv/test.stamp
	.venv/bin/python -m tests.trt.collect_names

clean:
	rm -rf .venv .venv-export .venv-peers .venv-deepface .venv-insightface .venv-public
	rm -rf demo build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is newer than what it was installed from, so that a second run starts at once.
%/bin/python:
	$(PYTHON) -m venv $*

.venv/demo.stamp: setup.py | .venv/bin/python
	.venv/$(PIP_INSTALL) -e '.[demo]'
	touch $@

.venv/test.stamp: setup.py | .venv/bin/python
	.venv/$(PIP_INSTALL) -e '.[test]'
	touch $@

.venv-export/export.stamp: setup.py | .venv-export/bin/python
	.venv-export/$(PIP_INSTALL) '$(TORCH)'
	.venv-export/$(PIP_INSTALL) -e '.[export,keras,test]'
	touch $@

.venv-peers/peers.stamp: | .venv-peers/bin/python
	.venv-peers/$(PIP_INSTALL) tensorflow-cpu==2.21.0
	touch $@

.venv-deepface/peers.stamp: | .venv-deepface/bin/python
	.venv-deepface/$(PIP_INSTALL) tensorflow-cpu==2.21.0 deepface==0.0.103 flask
	touch $@

.venv-insightface/peers.stamp: | .venv-insightface/bin/python
	.venv-insightface/$(PIP_INSTALL) insightface==2.1
	touch $@

.venv-public/peers.stamp: | .venv-public/bin/python
	.venv-public/$(PIP_INSTALL) numpy "opencv-python-headless<5" onnxruntime ai-edge-litert
	touch $@

.PHONY: needs-data
needs-data:
	@test -d "$(DATA)" || { echo "DATA='$(DATA)' is no folder; name the one that holds the data packs: make $(MAKECMDGOALS) DATA=FOLDER" >&2; exit 1; }

.PHONY: needs-weights
needs-weights:
	@test -d "$(WEIGHTS)" || { echo "WEIGHTS='$(WEIGHTS)' is no folder; name the one that holds the strangers' networks: make $(MAKECMDGOALS) DATA=FOLDER WEIGHTS=FOLDER" >&2; exit 1; }
