# Millrace: `make help` lists the targets. `make demo` and `make test` do all the set-up they need.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Downloads live outside the checkout, so that a fresh clone finds them again.
export MILLRACE_CACHE ?= $(HOME)/.cache/millrace
NODE_PACKAGE := node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)
PNPM := $(MILLRACE_CACHE)/pnpm/node_modules/.bin/pnpm

# The pinned Node 24, the workspace's tools and the pinned pnpm come before the machine's own.
export PATH := $(CURDIR)/node_modules/$(NODE_PACKAGE)/bin:$(CURDIR)/node_modules/.bin:$(dir $(PNPM)):$(PATH)
# Node trusts whom the system trusts: a network may have an authority of its own.
export NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
export MILLRACE_HAPROXY ?= $(firstword $(wildcard $(MILLRACE_CACHE)/haproxy/usr/sbin/haproxy) haproxy)
export MILLRACE_UNBOUND ?= $(firstword $(wildcard $(MILLRACE_CACHE)/unbound/usr/sbin/unbound) unbound)

##@ Everyday

help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install system packages (Debian, Ubuntu) and Node modules, and build everything
	@scripts/setup-system.sh
	@scripts/setup-node.sh
	@$(MAKE) --no-print-directory build

demo: setup ## Show real packets through the proxy: MODE=ebpf|iptables FLAVOUR=nft|legacy ONLY=name,… (BREAK=name breaks it, BREAK=list tells how)
	@node --conditions=source packages/conformance/src/demo/main.ts $(if $(MODE),--mode $(MODE)) \
		$(if $(FLAVOUR),--flavour $(FLAVOUR)) $(if $(ONLY),--only $(ONLY)) $(if $(BREAK),--break $(BREAK))

test: setup helm kubernetes chromium ## Run every test: unit, kernel, in a cluster, conformance in both attach modes, the site, other kernels
	@scripts/test.sh

lint: setup ## Check formatting, lint rules, types and the C style
	@scripts/lint.sh

clean: ## Remove what the build made (not the caches in $(MILLRACE_CACHE))
	rm -rf node_modules packages/plugin-ebpf/objects artefacts
	rm -rf $(foreach part,api bench bpf cni deploy examples/* release site site/reference packages/* test/*,$(part)/node_modules $(part)/dist $(part)/build $(part)/*.tsbuildinfo) site/generated

##@ Parts

build: ## Build native addons, BPF objects, the CNI plugin and TypeScript (after `make setup`)
	@$(MAKE) -s --no-print-directory -C packages/libbpf-ts
	@$(MAKE) -s --no-print-directory -C packages/linux-ts
	@$(MAKE) -s --no-print-directory -C bpf
	@$(MAKE) -s --no-print-directory -C packages/conformance
	@$(MAKE) -s --no-print-directory -C cni
	@$(MAKE) -s --no-print-directory -C bench
	@tsc -b

test-unit: setup helm ## Pure tests only, no root needed
	@vitest run --project unit

test-root: setup ## Tests that need root and the kernel, in throw-away network namespaces
	@vitest run --project root

test-kubernetes: setup helm kubernetes ## The agent in a cluster, with a real etcd and kube-apiserver: FILES="outages scale" for some of it
	@vitest run --project kubernetes --reporter default --reporter ./test/kubernetes/src/summary-reporter.ts $(FILES)

soak-kubernetes: setup helm kubernetes ## Restart the API server every 20 s while pods come and go: SECONDS=600
	@MILLRACE_SOAK_SECONDS=$(or $(SECONDS),600) vitest run --project kubernetes test/kubernetes/src/soak

test-sanitized: setup ## libbpf-ts's tests under AddressSanitizer and UBSan
	@scripts/test-sanitized.sh

conformance: setup ## Behaviours against a backend: BACKEND=ebpf|iptables ATTACH=tcx|clsact FLAVOUR=nft|legacy TUNNEL=geneve|vxlan ONLY=id,… REPORT=file.json|file.html KEEP=1
	@node packages/conformance/dist/cli.js run --backend $(or $(BACKEND),ebpf) \
		$(if $(ATTACH),--attach $(ATTACH)) $(if $(FLAVOUR),--flavour $(FLAVOUR)) $(if $(TUNNEL),--tunnel $(TUNNEL)) \
		$(if $(SERVICES),--services $(SERVICES)) $(if $(ONLY),--only $(ONLY)) $(if $(REPORT),--report $(REPORT)) $(if $(KEEP),--keep)

conformance-example: setup ## The suite on examples/backend-nftables: writes docs/backend-nftables.md (half an hour) REPORTS="a.json b.json" makes the page of these
	@scripts/example-conformance.sh $(REPORTS)

test-switch: setup ## Switch a node between the backends under load: SWITCHES=20 RATE=1000 STREAMS=500 SERVERS=8 PORTS=20000
	@MILLRACE_SWITCHES=$(or $(SWITCHES),20) MILLRACE_SWITCH_RATE=$(or $(RATE),1000) MILLRACE_SWITCH_STREAMS=$(or $(STREAMS),500) \
		MILLRACE_SWITCH_SERVERS=$(or $(SERVERS),8) MILLRACE_SWITCH_PORTS=$(or $(PORTS),20000) MILLRACE_SWITCH_STREAM_INTERVAL_MS=$(or $(INTERVAL_MS),500) \
		vitest run --project root packages/conformance/src/endurance/live-switch.root.test.ts

test-mutants: setup ## Wrong backends, one for each behaviour, each to be caught by its own: FULL=1 against all (hours), which writes docs/conformance.md, in pieces: REST=1 those that were not JOBS=2 ONLY=id,… REPORT=mutants.json
	@node test/mutants/dist/main.js $(if $(FULL),--full --results docs/mutants.json --page docs/conformance.md) $(if $(REST),--rest) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(ONLY),--only $(ONLY)) $(if $(REPORT),--report $(REPORT))

test-upgrade: setup ## Change a node to a version with other maps and back under load, and kill agents half way: UPGRADES=6 KILLS=12 RATE=1000 STREAMS=500 SERVERS=8 PORTS=20000
	@MILLRACE_UPGRADES=$(or $(UPGRADES),6) MILLRACE_UPGRADE_KILLS=$(or $(KILLS),12) MILLRACE_SWITCH_RATE=$(or $(RATE),1000) \
		MILLRACE_SWITCH_STREAMS=$(or $(STREAMS),500) MILLRACE_SWITCH_SERVERS=$(or $(SERVERS),8) MILLRACE_SWITCH_PORTS=$(or $(PORTS),20000) \
		MILLRACE_SWITCH_STREAM_INTERVAL_MS=$(or $(INTERVAL_MS),500) \
		vitest run --project root packages/conformance/src/endurance/upgrade.root.test.ts

test-crash: setup ## Kill the agent before and after its system calls, one after the other: VARIANTS=ebpf-tcx,… ONLY=enrol,… POINTS=16|all MATCHING=LINK_CREATE
	@node packages/conformance/dist/crash/cli.js --points $(or $(POINTS),16) $(if $(PHASE),--phase $(PHASE)) $(if $(VARIANTS),--variant "$(VARIANTS)") \
		$(if $(ONLY),--only "$(ONLY)") $(if $(MATCHING),--matching "$(MATCHING)")

test-drift: setup ## Delete and change every kind of kernel object, one at a time, and see each found and mended: VARIANTS="ebpf-tcx iptables-nft" ONLY=expression
	@scripts/test-drift.sh "$(VARIANTS)" "$(ONLY)"

matrix: setup ## The suite on Debian's kernels in QEMU and on this machine's: KERNELS="5.10 6.1 6.12 host" VARIANTS="ebpf-tcx …" JOBS=2; writes docs/compatibility.md
	@node test/vm/dist/matrix/main.js $(if $(KERNELS),--kernels "$(KERNELS)") $(if $(VARIANTS),--variants "$(VARIANTS)") \
		$(if $(ONLY),--only "$(ONLY)") $(if $(JOBS),--jobs $(JOBS))

vm-smoke: setup ## Capture on the oldest and the newest of these kernels, by both backends
	@node test/vm/dist/matrix/main.js --smoke

fuzz-short: setup ## A million random frames through the BPF programs, against docs/data-path.md: FRAMES=1000000 SEED=1
	@node --conditions=source bpf/test/fuzz/main.ts --frames $(or $(FRAMES),1000000) $(if $(SEED),--seed $(SEED))

fuzz: setup ## The same until it is interrupted or finds something: SEED=1
	@node --conditions=source bpf/test/fuzz/main.ts $(if $(SEED),--seed $(SEED))

test-acceleration: setup ## Checksummed streams through accelerated connections: GB=100
	@node --conditions=source packages/plugin-ebpf/src/testing/accelerate-long.ts $(or $(GB),100)

fuzz-cni: setup ## Fuzz what the CNI plugin reads, with sanitizers: SECONDS=30 for each of its fuzzers
	@$(MAKE) -s --no-print-directory -C cni fuzz $(if $(SECONDS),SECONDS=$(SECONDS))

test-plugins: setup ## What a stranger does: scaffold, build, load and prove a backend from packed packages, in a registry on loopback
	@node test/plugins/dist/main.js

helm: ## Build the Helm that test/helm pins into the cache (MILLRACE_HELM names another)
	@scripts/setup-helm.sh

site: setup ## The documentation as a site, with the reference: site/dist
	@scripts/build-site.sh

test-site: site chromium ## Look at the documentation's site in a browser; pictures in artefacts/site
	@vitest run --project site

chromium: ## Install the browser that looks at the site
	@scripts/setup-chromium.sh

fortio: ## Build the Fortio that bench/fortio pins into the cache (MILLRACE_FORTIO names another)
	@scripts/setup-fortio.sh

kubernetes: ## Build the kube-apiserver that test/kubernetes pins into the cache (KUBEBUILDER_ASSETS names another)
	@scripts/setup-kubernetes.sh

manifests: setup helm ## Write deploy/manifests and the chart's values.schema.json anew
	@node deploy/dist/bin/generate.js

image: setup ## The agent's image, by buildah or docker: BASE=debian:bookworm-slim IMAGE=millrace:dev
	@node deploy/dist/bin/image-context.js deploy/build/context
	@$(firstword $(shell command -v buildah docker) buildah) build --build-arg BASE=$(or $(BASE),debian:bookworm-slim) \
		--tag $(or $(IMAGE),millrace:dev) deploy/build/context

incident: setup ## Keep a log among the golden incidents: NAME=what-happened FILE=events.db|exported.jsonl (REDACT=1: other names)
	@scripts/add-incident.sh "$(NAME)" "$(FILE)"

accept-incidents: setup ## Show where today's decisions differ from the golden incidents, and record them
	@for log in test/incidents/*.jsonl; do echo "$$log:"; node packages/agent/dist/main.js replay --accept "$$log"; done

bench: setup fortio ## What the way through the proxy costs, in every mode beside the direct one: writes docs/performance.md (about an hour, on a quiet machine): ONLY=direct,ebpf-tcx,…
	@node --conditions=source bench/redirection.ts --page $(CURDIR)/docs/performance.md $(if $(ONLY),--only $(ONLY))

bench-quick: setup fortio ## The ratios of that alone, in less than three minutes: writes artefacts/bench/performance.md ONLY=direct,ebpf-tcx,…
	@node --conditions=source bench/redirection.ts --plan quick $(if $(ONLY),--only $(ONLY))

bench-compare: setup fortio ## Those of this commit beside those of another in the same run; fails where one is worse each time: BASE=HEAD^
	@scripts/bench-compare.sh $(BASE)

bench-agent: setup helm kubernetes ## What the agent itself costs, with 50 to 4,000 workloads and when it is left alone: writes its section of docs/performance.md (over an hour, on a quiet machine): COUNTS=50,110 IDLE_MINUTES=1 ONLY=ebpf-tcx,… PAGE=…
	@node bench/dist/agent.js --page $(or $(PAGE),$(CURDIR)/docs/performance.md) $(if $(COUNTS),--counts $(COUNTS)) \
		$(if $(IDLE_MINUTES),--idle-minutes $(IDLE_MINUTES)) $(if $(ONLY),--only $(ONLY))

bench-replay: setup ## How fast a recorded log is verified, and in how much memory: EVENTS=1000000 (prints; JUDGE=1 fails when it is too slow or too large)
	@node bench/dist/replay.js $(or $(EVENTS),1000000) $(if $(JUDGE),--judge)

bench-cni: setup ## How long the CNI plugin takes for many pods in a chain, one by one and ten at once: COUNT=250 ROUNDS=3 ONLY=ebpf-tcx,… (prints, judges nothing)
	@node --conditions=source bench/cni.ts $(if $(COUNT),--count $(COUNT)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY))

bench-workloads: setup ## How long each backend takes for many workloads: COUNT=300 ONLY=iptables-nft,… (prints, judges nothing)
	@node --conditions=source bench/workloads.ts $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only $(ONLY))

bench-observe: setup ## CPU time of comparing a node with its kernel, with many workloads: COUNT=250 ONLY=ebpf-tcx,… (JUDGE=1 fails above 0.5 % of a core)
	@node --conditions=source bench/observe.ts $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only $(ONLY)) $(if $(JUDGE),--judge)

bench-bpf: setup ## Nanoseconds a packet of each BPF program, by BPF_PROG_TEST_RUN: REPEAT=1000000 (prints, judges nothing)
	@node --conditions=source bpf/test/bench/main.ts $(if $(REPEAT),--repeat $(REPEAT))

bench-libbpf-ts: setup ## Operations a second of libbpf-ts: maps one by one and in batches, ring buffer into JavaScript (prints, judges nothing)
	@node --conditions=source bench/libbpf-ts.ts $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH))

record-layout: setup ## Write down the layout of the eBPF backend's maps, after an addition or for a new LAYOUT_VERSION
	@node --conditions=source packages/plugin-ebpf/src/testing/record-layout.ts
	@biome check --write packages/plugin-ebpf/layouts

api-report: setup ## Write down what the public packages export (api/reports), after a change that is meant: see CONTRIBUTING.md
	@node api/dist/bin/write.js

format: ## Rewrite sources in the house format
	@biome check --write .
	@clang-format -i $$(git ls-files '*.c' '*.h')

# Every target that `make help` lists is an action and not a file.
.PHONY: help build $(shell sed -n "s/^\([a-z0-9-]*\):.*\#\#.*/\1/p" $(firstword $(MAKEFILE_LIST)))
