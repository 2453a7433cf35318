# davit: build, try and test. On Debian 12, Go, gcc, make and git are enough, as
# root: whatever else a target needs, it installs or builds first, once. Outputs
# are in .build; longer recipes are scripts in .tools.

# What is built from the Go module proxy. This is the one place with the versions
# of what davit is tested against; development tools are pinned in .tools/go.mod.
CONTAINERD_2 := 2.4.2
CONTAINERD_1 := 1.7.35
SHIM_2       := 2.3.7
RUNC         := 1.5.2

# What comes from Debian, as WHAT=PACKAGE: installed where WHAT, a command or a
# file, is missing. Its containerd, 1.6, is the oldest one that davit supports.
# To build and run davit, runc and a busybox are enough.
BASIC  := runc=runc busybox=busybox-static /etc/ssl/certs/ca-certificates.crt=ca-certificates
DEBIAN := $(BASIC) containerd=containerd /usr/include/stdio.h=libc6-dev

# Variables to set on the command line: make test PKG=./host/... TESTFLAGS=-run=Foo
# or make storm STORM="--row kills --counts small --seed 1"
PKG       := ./...
TESTFLAGS := -race -shuffle=on -timeout=20m
BENCH     := .
COUNT     := 6
STORM     := --row all --counts full --keep
SCALE     := 500

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c

BIN   := .build/bin
TOOLS := .build/tools/bin
DEPS  := .build/deps
C2    := $(DEPS)/containerd-$(CONTAINERD_2)
C1    := $(DEPS)/containerd-$(CONTAINERD_1)
S2    := $(DEPS)/shim-$(SHIM_2)
R     := $(DEPS)/runc-$(RUNC)

# A runc of ours serves where the machine has none.
export PATH := $(PATH):/usr/sbin:/sbin:$(CURDIR)/$(R)/bin

##@ Use
.PHONY: help build run
help: ## list the targets
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build davit and its executors into .build/bin
	@mkdir -p $(BIN)
	$(if $(COMMANDS),CGO_ENABLED=0 go build -trimpath -ldflags='-s -w -X main.version=$(VERSION)' -o $(BIN)/ $(COMMANDS),@echo "no commands yet")
VERSION  := $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
COMMANDS := $(addprefix ./,$(wildcard host/cmd/* executors/*/cmd/*))

run: basic rootfs build ## run a container without any daemon, and clean up
	@.tools/run

##@ Check
.PHONY: test lint fmt bench storm storm-peers disks scale fresh
test: setup build $(TOOLS)/gotestsum ## run all tests, with real containerds
	DAVIT_REQUIRE_REAL=1 $(TOOLS)/gotestsum --format=standard-quiet --jsonfile=.build/test.json -- $(TESTFLAGS) $(PKG)

lint: $(TOOLS)/golangci-lint ## check formatting, go.mod and the code (.golangci.yml)
	go mod tidy -diff
	$(TOOLS)/golangci-lint run --allow-parallel-runners

fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt

bench: setup build $(TOOLS)/benchstat ## run the benchmarks and print their medians
	go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) $(PKG) | tee .build/bench.txt
	$(TOOLS)/benchstat .build/bench.txt

storm: setup ## do all that can go wrong, a thousand times, and check that nothing is lost
	go run ./host/storm/cmd/davit-storm $(STORM)
	go run ./host/storm/cmd/davit-storm --table

storm-peers: setup ## compare what davit, ctr and dockerd lose
	go run ./host/storm/cmd/davit-storm --peers

scale: setup ## hold SCALE containers and print what each costs, and how fast they are re-adopted
	DAVIT_SCALE=$(SCALE) go test -count=1 -v -timeout=30m -run='^TestScale$$' ./host/e2e

disks: setup ## cut the power 200 times, fill and break disks, and check what is lost
	DAVIT_REQUIRE_REAL=1 DAVIT_POWER_CUTS=200 DAVIT_FULL_DISK_ROUNDS=20 go test -count=1 -v -timeout=60m -run='Disk|PowerCut|WithoutAHost' ./host/e2e

fresh: ## run `make run` and `make test` in a new Debian with only Go, gcc, make and git
	@.tools/apt debootstrap=debootstrap
	@.tools/fresh run test

##@ Set up (the targets above do it when needed)
.PHONY: setup basic debian deps rootfs runc versions clean
setup: debian deps rootfs ## all of the following

basic:
	@.tools/apt $(BASIC)

debian: ## install missing Debian packages; starts no service, removes nothing
	@.tools/apt $(DEBIAN)

deps: $(C2)/.done $(C1)/.done $(S2)/.done ## build the pinned containerds and shims
	@rm -rf $(filter-out $(C2) $(C1) $(S2) $(R),$(wildcard $(DEPS)/*))

rootfs: .build/rootfs/bin/busybox ## make a root file system with busybox

runc: $(R)/.done ## build the pinned runc, for machines that have none

versions: ## print the versions of everything involved
	@.tools/versions

clean: ## remove all outputs, but not what was installed
	rm -rf --one-file-system .build

# containerd 2 serves runc.v1 too when the 1.7 line's shim lies beside its own.
$(C2)/.done: $(C1)/.done
	@CGO_ENABLED=0 .tools/build-module github.com/containerd/containerd/v2 $(CONTAINERD_2) $(@D) \
		cmd/containerd cmd/ctr cmd/containerd-shim-runc-v2
	@cp $(C1)/bin/containerd-shim-runc-v1 $(@D)/bin/
	@touch $@

$(C1)/.done: | debian
	@CGO_ENABLED=0 .tools/build-module github.com/containerd/containerd $(CONTAINERD_1) $(@D) \
		cmd/containerd cmd/ctr cmd/containerd-shim-runc-v2 cmd/containerd-shim-runc-v1 cmd/containerd-shim
	@touch $@

$(S2)/.done: | debian
	@CGO_ENABLED=0 .tools/build-module github.com/containerd/containerd/v2 $(SHIM_2) $(@D) \
		cmd/containerd-shim-runc-v2
	@touch $@

$(R)/.done:
	@.tools/apt /usr/include/stdio.h=libc6-dev pkg-config=pkg-config /usr/include/seccomp.h=libseccomp-dev
	@CGO_ENABLED=1 GOFLAGS=-tags=seccomp .tools/build-module github.com/opencontainers/runc $(RUNC) $(@D) .
	@touch $@

.build/rootfs/bin/busybox: .tools/rootfs | basic
	@.tools/rootfs .build/rootfs

$(TOOLS)/golangci-lint: TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/gotestsum:     TOOL := gotest.tools/gotestsum
$(TOOLS)/benchstat:     TOOL := golang.org/x/perf/cmd/benchstat
$(TOOLS)/%: .tools/go.mod | debian
	CGO_ENABLED=0 go build -C .tools -trimpath -o $(CURDIR)/$@ $(TOOL)
