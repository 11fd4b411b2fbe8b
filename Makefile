# `make` lists the targets. The work is done by the short scripts in scripts/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

LDFLAGS ?= -s -w
FUZZTIME ?= 30s
GOBUILD = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: deps check ## the gate: install what is missing, check everything, test with -race
	@scripts/test

.PHONY: deps
deps: ## install what the checks and tests need and is not there yet
	@scripts/deps
	@scripts/tools gofumpt golangci-lint

.PHONY: check
check: deps ## format, vet (three systems), tidy, man pages, lint; without the tests
	@scripts/check

.PHONY: build
build: ## ./duet, one static binary
	$(GOBUILD) -o duet ./cmd/duet

.PHONY: build-all
build-all: ## dist/: linux, darwin and windows on amd64 and arm64
	@mkdir -p dist
	@set -eu; for os in linux darwin windows; do for arch in amd64 arm64; do \
		ext=; [ $$os != windows ] || ext=.exe; \
		echo "dist/duet-$$os-$$arch$$ext"; \
		GOOS=$$os GOARCH=$$arch $(GOBUILD) -o "dist/duet-$$os-$$arch$$ext" ./cmd/duet; \
	done; done

.PHONY: fmt
fmt: ## format the code in place
	@scripts/tools gofumpt
	@"$$(scripts/tools --path gofumpt)" -w .

.PHONY: lint
lint: ## golangci-lint alone
	@scripts/tools golangci-lint
	@scripts/check lint

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

.PHONY: long
long: deps ## the long forms of the tests (DUET_LONG=1), up to an hour
	DUET_LONG=1 go test -timeout 60m ./...

.PHONY: hostile
hostile: ## N=10000 hostile sessions (1000000: a quarter of an hour) while a canary talks; prints figures
	DUET_HOSTILE_N=$(or $(N),10000) go test -count=1 -v -timeout 24h ./internal/hostile/

.PHONY: stress
stress: deps ## the gate's tests three times beside a load on every processor; PKG='./room/ ./desk/' for some
	@scripts/stress $(PKG)

.PHONY: mutants
mutants: ## take each guard out in a copy and see a test turn red; NAME=regexp for some
	DUET_MUTANTS='$(or $(NAME),.)' go test -count=1 -v -timeout 2h -run '^TestMutants$$' ./internal/mutants/

.PHONY: bench
bench: ## measure duet beside other tools; ROW=echo-1 for one row, ARGS='-rounds 1 -long' for more flags
	@ROW='$(ROW)' scripts/bench $(ARGS)

.PHONY: vulncheck
vulncheck: ## known vulnerabilities in what duet links
	@scripts/vulncheck

.PHONY: rename
rename: ## MODULE=example.org/duet: change the module path everywhere
	@scripts/rename "$(MODULE)"

.PHONY: clean
clean: ## remove what was built here
	rm -rf duet duet.exe dist
