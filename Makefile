# What a newcomer needs: `make tools` builds the real Kubernetes binaries, once; everything else is npm scripts.
.PHONY: tools

node_modules: package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules

tools:
	node hack/binaries.mjs
