# `make demo` and `make test` need nothing but Node.js ≥ 20 with npm, Go and make; what else they need they fetch and build.
.PHONY: all demo test e2e e2e-again e2e-more e2e-control-plane e2e-control-plane-again bench lint build generate tools clean

# npm scripts have the Node.js of node_modules first on their PATH; recipes here do the same.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

all: test

## Start a real control plane, convert it before your eyes, and take it away again. KEEP=1 leaves it up until Ctrl-C.
demo: node_modules tools build
	@node hack/demo.ts $(if $(KEEP),--keep)

## All checks that end within minutes: types, lint, format, units, simulation, and the parts on a real control plane.
test: node_modules tools build
	npm run --silent typecheck
	npm run --silent lint
	npm run --silent format:check
	npm test -- --testPathIgnorePatterns '/e2e/'

## Whole conversions on real kubelets, containerd and CNI in network namespaces, with packets in both families. Needs root on Linux:
## elsewhere it says what is missing and skips.
e2e: node_modules build
	@node test/e2e/cluster/prepare.ts
	npm test -- test/e2e/kubelets/ --runInBand

## The same for IPv6 clusters, faults in the middle, drains, late and changed addresses, and what goes wrong and is undone: more than an hour that is not spent for each change. Two files
## among them, api-away-under-load and many-services, have played kubelets and want the machine to themselves; k0s-controllers has played ones too.
e2e-more: node_modules build
	@node test/e2e/cluster/prepare.ts
	npm test -- test/e2e/kubelets-more --runInBand

## Whole conversions on real control planes with played kubelets: availability, crashes, undo, roll-back, slow restarts, released manifests.
e2e-control-plane: node_modules tools build
	npm test -- test/e2e/control-plane

## The test files of either that failed last time.
e2e-again: node_modules build
	npm test -- test/e2e/kubelets/ --runInBand --onlyFailures
e2e-control-plane-again: node_modules tools build
	npm test -- test/e2e/control-plane --runInBand --onlyFailures

## Figures, each as a ratio to a reference measured in the same run.
bench: node_modules tools build
	@node bench/plan.ts
	@node bench/nodes.ts
	@node bench/run.ts

build: node_modules
	@npm run --silent build

lint: node_modules
	npm run --silent typecheck
	npm run --silent lint
	npm run --silent format:check

## What is made from the sources: CRDs, field reference, RBAC.
generate: node_modules
	node hack/generate-crds.ts
	node hack/generate-rbac.ts

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules

## The real Kubernetes binaries, built from source once and kept in the user's cache.
## K8S_VERSION=1.33.13 takes the oldest version that can be built instead, here and in all targets that need them.
tools:
	@node hack/binaries.mjs

clean:
	rm -rf node_modules dist coverage
