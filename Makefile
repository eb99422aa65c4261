# make alone prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BENCHES := start conns journal crash relay room socketio udp watch faults console terminal screens ssh sources devices

.PHONY: help build console screenshots test unit lint fuzz bench deps clean
help: ## print the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

build: ## build the static binary ./switchboard
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.buildVersion=$(VERSION)" -o switchboard ./cmd/switchboard

console: ## build the web console's files in web/console from their source
	cd console && npm ci --ignore-scripts --no-audit --no-fund && npx vite build

screenshots: build ## make docs/images: each page of the console, in both languages and both colours
	cd console && npm ci --ignore-scripts --no-audit --no-fund && SWITCHBOARD=$(CURDIR)/switchboard node tests/screenshots.mjs

test: deps unit ## install what the tests need and run everything

unit: ## run everything, with what is installed
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not formatted (gofmt -w): $$bad"; exit 1; fi
	go vet -race ./... # as the tests are built, so that all is compiled once
	go vet $$(git grep -l '^//go:build.*!race' '*.go' | xargs -n1 dirname | sort -u | sed 's,^,./,')
	GOOS=darwin go vet -gcflags=all='-N -l' ./cmd/switchboard # types alone count: unoptimised, it is compiled sooner
	go test -race -vet=off -timeout 15m -p 3 ./console ./... # the longest first; tests wait for much of their time

lint: ## gofmt, go vet and staticcheck
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not formatted (gofmt -w): $$bad"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

fuzz: ## fuzz every parser for 30 s each
	@for f in $$(grep -rlE '^func Fuzz' --include=*_test.go .); do \
	  for name in $$(grep -ohE '^func Fuzz[A-Za-z]+' $$f | cut -c6-); do \
	    echo "== $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime 30s ./$$(dirname $$f) || exit 1; done; done

bench: ## run every benchmark; each prints its figures beside what it should reach
	@for b in $(BENCHES); do echo "== bench/$$b"; go run ./bench/$$b || exit 1; done

deps: ## install what the tests need (Debian: as root)
	@.ci/deps

clean: ## remove what was built
	rm -f switchboard
