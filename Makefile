# The commands that everybody needs. "make" alone lists them.

STRIPE_MOCK := github.com/stripe/stripe-mock@v0.180.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CHROMIUM ?= /usr/bin/chromium-headless-shell
# Go files of the tree, without those in npm packages.
GO_FILES = $(shell find . -name node_modules -prune -o -name '*.go' -print)
# More flags for go test, such as -p 1 or -run Checkout.
TESTFLAGS ?=
# Figures that "make bench" measures, separated by commas; all if not said.
ONLY ?=
# More flags for the benchmark, such as --scale 0.1, see "bin/bench --help".
BENCHFLAGS ?=
# More flags for the demo, see "bin/demo --help".
DEMOFLAGS ?=

.PHONY: help demo test check faults bench assets build setup bin/demo bin/stripe-mock

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup bin/demo ## Run the product on this machine, with everything that it needs.
	bin/demo $(DEMOFLAGS)

test: setup bin/demo bin/stripe-mock ## Run all tests.
	MOPD_DEMO_BIN=$(CURDIR)/bin/demo go test -p 1 -timeout 20m -parallel 3 $(TESTFLAGS) ./...

check: ## Check formatting, vet, staticcheck, built web assets and the import rule.
	scripts/setup.sh assets
	@echo "gofmt -l"
	@unformatted=$$(gofmt -l $(GO_FILES)) && { [ -z "$$unformatted" ] || { echo "not formatted:" $$unformatted >&2; exit 1; }; }
	go vet -tags faults ./...
	go run $(STATICCHECK) -tags faults ./...
	scripts/assets.sh check
	go test -count=1 ./cmd/internal/archtest

faults: setup bin/demo ## Run the long tests that kill processes and cut connections.
	MOPD_DEMO_BIN=$(CURDIR)/bin/demo go test -timeout 60m -count=1 -tags faults -run Faults $(TESTFLAGS) ./...

bench: setup bin/demo build ## Measure how fast the product is, and with how much memory.
	go build -o bin/bench ./cmd/bench
	bin/bench $(if $(ONLY),--only $(ONLY)) $(BENCHFLAGS)

assets: ## Build the web assets from static/src.
	scripts/setup.sh assets
	scripts/assets.sh build

build: ## Build the product as one static binary, bin/lms.
	CGO_ENABLED=0 go build -trimpath -o bin/lms ./cmd/lms

setup:
	@scripts/setup.sh

bin/demo:
	go build -o bin/demo ./cmd/demo

bin/stripe-mock:
	GOBIN=$(CURDIR)/bin go install $(STRIPE_MOCK)
