# Long runs. Each prints a table and writes build/bench/<target>.json: a list of {name, value, unit, low, high}.
.PHONY: bench bench-gate bench-history bench-transfer bench-own-fields bench-pretraining bench-simulator bench-decode bench-stages bench-score bench-handbook bench-partitions chaos fuzz soak loop-test bench-exploration bench-gateway bench-controls bench-controls-live audit

BENCH_READY := .venv/.bench-ready

$(BENCH_READY): requirements/bench.txt $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

bench: $(BENCH_READY) ## this service against peers and limits, side by side
	$(PY) -m benchmarks.peers

bench-history: $(READY) ## cost, memory and recovery of the history
	$(PY) -m benchmarks.history

bench-handbook: $(READY) ## the handbook's protocol: these features against the book's own
	$(PY) -m benchmarks.handbook

bench-partitions: $(READY) ## what several partitions cost in recall
	$(PY) -m benchmarks.partitions

bench-transfer: $(READY) ## transfer strategies against boosted trees
	$(PY) -m benchmarks.transfer

bench-own-fields: $(READY) ## own fields: auto against plain LightGBM on raw columns (QUICK=1: one set)
	$(PY) -m benchmarks.own_fields $(if $(QUICK),--quick)

bench-pretraining: $(READY) ## learning without labels: each part against the default without (QUICK=1: small)
	$(PY) -m benchmarks.pretraining $(if $(QUICK),--quick)

bench-simulator: $(READY) ## how hard the simulated world is
	$(PY) -m benchmarks.simulator

bench-decode: $(READY) ## cost of decoding an event
	$(PY) -m benchmarks.decode

bench-stages: $(READY) ## what an event costs in each stage of the pipeline
	$(PY) -m benchmarks.stages

bench-score: $(READY) ## cost of scoring with a bundle
	$(PY) -m benchmarks.score

bench-controls: $(READY) ## cost of rules and lists; random rules against CEL
	$(PY) -m benchmarks.controls

bench-controls-live: $(READY) ## how soon a control decides under load; a kill at that moment; decisions made again
	$(PY) -m benchmarks.controls_live

chaos: $(READY) ## faults on a real broker: nothing lost, nothing doubled (ONLY="kill stalled": some of them)
	$(PY) -m benchmarks.chaos $(addprefix --only ,$(ONLY))

fuzz: $(READY) ## a million hostile records and 2,000 damaged files: nothing breaks, valid payments unchanged (SEED=n)
	$(PY) -m benchmarks.fuzz $(if $(SEED),--seed $(SEED))

soak: $(READY) ## 30 minutes at half the maximal rate: memory stays flat
	$(PY) -m benchmarks.soak

loop-test: $(READY) ## a new pattern, labels, re-adaptation, recovery; unattended, in three worlds
	$(PY) -m benchmarks.loop

bench-gate: $(READY) ## what the gate promotes by mistake in a year, and its power
	$(PY) -m benchmarks.gate

bench-gateway: $(READY) ## answers at checkout: latency, exactness, kills, overload, outage (ONLY="latency kills": some)
	$(PY) -m benchmarks.gateway $(addprefix --only ,$(ONLY))

bench-exploration: $(READY) ## what a blocking model's own labels say of its precision, three ways
	$(PY) -m benchmarks.exploration

audit: $(BENCH_READY) ## known vulnerabilities of the locked dependencies (asks an online database)
	$(PY) -m pip install --quiet pip-audit && $(PY) -m pip_audit --require-hashes --no-deps -r requirements/training.txt

.PHONY: bench-console
bench-console: $(READY) ## 50 analysts at one console with 100,000 alerts; console and broker killed 20 times each
	$(PY) -m benchmarks.console
