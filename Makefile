# Millrace: `make help` lists the targets. `make demo` and `make test` do all the set-up they need.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Downloads live outside the checkout, so that a fresh clone finds them again.
export MILLRACE_CACHE ?= $(HOME)/.cache/millrace
NODE_PACKAGE := node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)
PNPM := $(MILLRACE_CACHE)/pnpm/node_modules/.bin/pnpm

# The pinned Node 24 and the workspace's tools come before the machine's own.
export PATH := $(CURDIR)/node_modules/$(NODE_PACKAGE)/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export MILLRACE_HAPROXY ?= $(firstword $(wildcard $(MILLRACE_CACHE)/haproxy/usr/sbin/haproxy) haproxy)
export MILLRACE_UNBOUND ?= $(firstword $(wildcard $(MILLRACE_CACHE)/unbound/usr/sbin/unbound) unbound)

##@ Everyday

help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install system packages (Debian, Ubuntu) and Node modules, and build everything
	@scripts/setup-system.sh
	@scripts/setup-node.sh
	@$(MAKE) --no-print-directory build

demo: setup ## Show real packets through the proxy: MODE=ebpf|iptables FLAVOUR=nft|legacy ONLY=name,… (BREAK=name breaks it, BREAK=list tells how)
	@node --conditions=source packages/conformance/src/demo/main.ts $(if $(MODE),--mode $(MODE)) \
		$(if $(FLAVOUR),--flavour $(FLAVOUR)) $(if $(ONLY),--only $(ONLY)) $(if $(BREAK),--break $(BREAK))

test: setup helm kubernetes ## Run every test: unit, kernel, in a cluster, conformance in both attach modes, other kernels
	@scripts/test.sh

lint: setup ## Check formatting, lint rules, types and the C style
	@scripts/lint.sh

clean: ## Remove what the build made (not the caches in $(MILLRACE_CACHE))
	rm -rf node_modules packages/plugin-ebpf/objects artefacts
	rm -rf $(foreach part,bpf cni deploy packages/* test/*,$(part)/node_modules $(part)/dist $(part)/build $(part)/*.tsbuildinfo)

##@ Parts

build: ## Build native addons, BPF objects, the CNI plugin and TypeScript (after `make setup`)
	@$(MAKE) -s --no-print-directory -C packages/libbpf-ts
	@$(MAKE) -s --no-print-directory -C packages/linux-ts
	@$(MAKE) -s --no-print-directory -C bpf
	@$(MAKE) -s --no-print-directory -C packages/conformance
	@$(MAKE) -s --no-print-directory -C cni
	@tsc -b

test-unit: setup helm ## Pure tests only, no root needed
	@vitest run --project unit

test-root: setup ## Tests that need root and the kernel, in throw-away network namespaces
	@vitest run --project root

test-kubernetes: setup helm kubernetes ## The agent in a cluster, with a real etcd and kube-apiserver: FILES="outages scale" for some of it
	@vitest run --project kubernetes --reporter default --reporter ./test/kubernetes/src/summary-reporter.ts $(FILES)

soak-kubernetes: setup helm kubernetes ## Restart the API server every 20 s while pods come and go: SECONDS=600
	@MILLRACE_SOAK_SECONDS=$(or $(SECONDS),600) vitest run --project kubernetes test/kubernetes/src/soak

conformance: setup ## Behaviours against a backend: BACKEND=ebpf|iptables ATTACH=tcx|clsact FLAVOUR=nft|legacy TUNNEL=geneve|vxlan ONLY=id,… REPORT=file.json
	@node packages/conformance/dist/cli.js run --backend $(or $(BACKEND),ebpf) \
		$(if $(ATTACH),--attach $(ATTACH)) $(if $(FLAVOUR),--flavour $(FLAVOUR)) $(if $(TUNNEL),--tunnel $(TUNNEL)) \
		$(if $(SERVICES),--services $(SERVICES)) $(if $(ONLY),--only $(ONLY)) $(if $(REPORT),--report $(REPORT))

matrix: setup ## The suite on Debian's kernels in QEMU and on this machine's: KERNELS="5.10 6.1 6.12 host" VARIANTS="ebpf-tcx …" JOBS=2; writes docs/compatibility.md
	@node test/vm/dist/matrix/main.js $(if $(KERNELS),--kernels "$(KERNELS)") $(if $(VARIANTS),--variants "$(VARIANTS)") \
		$(if $(ONLY),--only "$(ONLY)") $(if $(JOBS),--jobs $(JOBS))

vm-smoke: setup ## Capture on the oldest and the newest of these kernels, by both backends
	@node test/vm/dist/matrix/main.js --smoke

fuzz-cni: setup ## Fuzz what the CNI plugin reads, with sanitizers: SECONDS=30 for each of its fuzzers
	@$(MAKE) -s --no-print-directory -C cni fuzz $(if $(SECONDS),SECONDS=$(SECONDS))

helm: ## Build the Helm that test/helm pins into the cache (MILLRACE_HELM names another)
	@scripts/setup-helm.sh

kubernetes: ## Build the kube-apiserver that test/kubernetes pins into the cache (KUBEBUILDER_ASSETS names another)
	@scripts/setup-kubernetes.sh

manifests: setup helm ## Write deploy/manifests and the chart's values.schema.json anew
	@node deploy/dist/bin/generate.js

image: setup ## The agent's image, by buildah or docker: BASE=debian:bookworm-slim IMAGE=millrace:dev
	@node deploy/dist/bin/image-context.js deploy/build/context
	@$(firstword $(shell command -v buildah docker) buildah) build --build-arg BASE=$(or $(BASE),debian:bookworm-slim) \
		--tag $(or $(IMAGE),millrace:dev) deploy/build/context

bench-cni: setup ## How long the CNI plugin takes for many pods in a chain, one by one and ten at once: COUNT=250 ROUNDS=3 ONLY=ebpf-tcx,… (prints, judges nothing)
	@node --conditions=source bench/cni.ts $(if $(COUNT),--count $(COUNT)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY))

bench-workloads: setup ## How long each backend takes for many workloads: COUNT=300 ONLY=iptables-nft,… (prints, judges nothing)
	@node --conditions=source bench/workloads.ts $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only $(ONLY))

format: ## Rewrite sources in the house format
	@biome check --write .
	@clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: help setup demo test lint clean build test-unit test-root test-kubernetes soak-kubernetes conformance matrix vm-smoke fuzz-cni helm kubernetes manifests image bench-cni bench-workloads format
