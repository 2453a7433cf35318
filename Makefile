# davit: build, try and test. On Debian 12, Go, gcc, make and git are enough, as
# root: whatever else a target needs, it installs or builds first, once. Outputs
# are in .build; longer recipes are scripts in .tools.

# What is built from the Go module proxy. This is the one place with the versions
# of what davit is tested against; development tools are pinned in .tools/go.mod.
CONTAINERD_2 := 2.4.2
CONTAINERD_1 := 1.7.35
SHIM_2       := 2.3.7
RUNC         := 1.5.2

# OCI runtimes of others, for `make foreign`.
GVISOR := 0.0.0-20260905035102-160fafc42237
RUNCS  := 1.0.3 1.1.15 1.3.6 1.4.4 1.5.2
NVIDIA := 1.20.2

# What comes from Debian, as WHAT=PACKAGE: installed where WHAT, a command or a
# file, is missing. Its containerd, 1.6, is the oldest one that davit supports.
# To build and run davit, runc and a busybox are enough.
BASIC  := runc=runc busybox=busybox-static /etc/ssl/certs/ca-certificates.crt=ca-certificates
DEBIAN := $(BASIC) containerd=containerd curl=curl ip=iproute2 /usr/lib/cni/bridge=containernetworking-plugins /usr/include/stdio.h=libc6-dev pasta=passt slirp4netns=slirp4netns

# Variables to set on the command line: make test PKG=./host/... TESTFLAGS=-run=Foo
# or make storm STORM="--row kills --counts small --seed 1"
PKG       := ./...
TESTFLAGS := -race -shuffle=on -parallel=4 -timeout=40m
COMBINED  := TestEveryRuntimeOnEveryDaemon|TestManyOnANetwork|TestPublishedPorts|TestBroken|TestFlippedBits|TestTerminalSession
COMBINING := ./host/rigs/e2e ./shared/conformance ./host/internal/store
MATRIX    := ./executors/containerd ./executors/shim ./executors/process ./host/cmd/davit-host
BENCH     := .
COUNT     := 6
STORM     := --row all --counts full --keep
SCALE     := 500
FUZZ      := 120
# Runs a command, and fails if it leaves anything on the machine.
LEFTOVERS  = go run ./host/rigs/leftovers/cmd/davit-leftovers
# Tests take what `make build` has built. What is built with -race sleeps for a second before
# it exits, and there are hundreds of packages and processes.
TESTENV    = DAVIT_BIN=$(CURDIR)/$(BIN) GORACE=atexit_sleep_ms=0 DAVIT_REQUIRE_REAL=1
# One line a package, and all about what failed.
SUMMARY   := --format=pkgname --format-hide-empty-pkg --hide-summary=skipped
VM        := v2 v1 year
PREFIX    := /usr/local

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c

BIN   := .build/bin
TOOLS := .build/tools/bin
DEPS  := .build/deps
C2    := $(DEPS)/containerd-$(CONTAINERD_2)
C1    := $(DEPS)/containerd-$(CONTAINERD_1)
S2    := $(DEPS)/shim-$(SHIM_2)
APPS  := .build/apps
R     := $(DEPS)/runc-$(RUNC)

# A runc of ours serves where the machine has none.
export PATH := $(PATH):/usr/sbin:/sbin:$(CURDIR)/$(R)/bin

##@ Use
.PHONY: help build install deb run
help: ## list the targets
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build davit and its executors into .build/bin
	@mkdir -p $(BIN)
	$(if $(COMMANDS),CGO_ENABLED=0 go build -trimpath -ldflags='-s -w -X main.version=$(VERSION)' -o $(BIN)/ $(COMMANDS),@echo "no commands yet")
VERSION  := $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
COMMANDS := $(addprefix ./,$(wildcard host/cmd/* executors/*/cmd/*))

install: build ## install davit, unit, completions and manual below PREFIX (/usr/local)
	.tools/install $(PREFIX) $(DESTDIR)

deb: build ## build a Debian package
	@.tools/deb $(VERSION)

run: basic rootfs build ## run a container without any daemon, and clean up
	@.tools/run

##@ Check
.PHONY: test matrix foreign lint fmt fuzz vulns bench storm storm-peers disks scale apps fresh vm
test: setup build $(TOOLS)/gotestsum ## run all tests, with real containerds, and look for what they leave
	$(TESTENV) $(LEFTOVERS) $(TOOLS)/gotestsum $(SUMMARY) --jsonfile=.build/test.json -- $(TESTFLAGS) $(if $(filter ./...,$(PKG)),$(LONGEST)) $(PKG)
# The longest come first, so that none is left to run alone.
LONGEST := $(addprefix ./,host/rigs/e2e executors/containerd host/rigs/storm host executors/shim shared/conformance host/cmd/davit-host)

matrix: setup build $(TOOLS)/gotestsum ## test what `make test` leaves out: each runtime on each containerd, each shim
	$(TESTENV) DAVIT_MATRIX=1 $(LEFTOVERS) $(TOOLS)/gotestsum $(SUMMARY) --jsonfile=.build/matrix.json -- $(TESTFLAGS) $(MATRIX)
	$(TESTENV) DAVIT_MATRIX=1 $(LEFTOVERS) $(TOOLS)/gotestsum $(SUMMARY) --jsonfile=.build/matrix-some.json -- $(TESTFLAGS) \
		-run='^($(COMBINED))$$' $(COMBINING)

FOREIGN := $(foreach F,gvisor-$(GVISOR) $(RUNCS:%=runc-%) nvidia-$(NVIDIA),.build/foreign/$F/.done)
foreign: setup $(FOREIGN) $(TOOLS)/gotestsum ## run OCI runtimes of others, and runtimes and shims that do everything wrong
	DAVIT_REQUIRE_REAL=1 DAVIT_MATRIX=1 $(LEFTOVERS) $(TOOLS)/gotestsum $(SUMMARY) --jsonfile=.build/foreign.json -- $(TESTFLAGS) \
		-run='^(TestForeignRuntimes|TestIllBehaved|TestForce)$$' ./executors/containerd ./executors/shim

lint: $(TOOLS)/golangci-lint ## check formatting, go.mod and the code (.golangci.yml)
	go vet ./...
	for dir in . $(FAULTYFS); do (cd $$dir && go mod tidy -diff && $(CURDIR)/$(TOOLS)/golangci-lint run --allow-parallel-runners); done
FAULTYFS := host/rigs/disktest/faultyfs

fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt

bench: setup build $(TOOLS)/benchstat ## run the benchmarks and print their medians
	go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) $(PKG) | tee .build/bench.txt
	$(TOOLS)/benchstat .build/bench.txt

storm: setup ## do everything that can go wrong, a thousand times, and check that nothing is lost
	$(LEFTOVERS) go run ./host/rigs/storm/cmd/davit-storm $(STORM)
	go run ./host/rigs/storm/cmd/davit-storm --table

storm-peers: setup ## do the same to ctr and dockerd, and compare
	go run ./host/rigs/storm/cmd/davit-storm --peers

scale: setup ## run SCALE containers and print what each costs, also at rest and beside ctr, and how fast a new host watches them again
	DAVIT_SCALE=$(SCALE) go test -count=1 -v -timeout=30m -run='^TestScale' ./host/rigs/e2e

fuzz: ## feed garbage to every parser, FUZZ seconds after they are compiled, and keep what breaks one in its testdata
	@.tools/fuzz $(FUZZ) $(PKG)

vulns: $(TOOLS)/govulncheck ## look up known vulnerabilities, where the database can be reached
	@.tools/vulns $(TOOLS)/govulncheck $(PKG)

disks: setup ## cut the power 200 times, fill and break disks, and check what is lost
	DAVIT_REQUIRE_REAL=1 DAVIT_POWER_CUTS=200 DAVIT_FULL_DISK_ROUNDS=20 go test -count=1 -v -timeout=60m -run='Disk|PowerCut|WithoutAHost' ./host/rigs/e2e

apps: setup $(APPS)/.done ## run databases, web servers and supervisors on each executor, which are killed meanwhile
	DAVIT_REQUIRE_REAL=1 DAVIT_APPS=$(CURDIR)/$(APPS) go test -count=1 -v -timeout=30m -run='^TestApps$$' ./host/rigs/e2e

fresh: ## run `make run` and `make test` in a new Debian with only Go, gcc, make and git
	@.tools/apt debootstrap=debootstrap
	@.tools/fresh run test

vm: setup build ## try davit and its package in virtual machines with systemd: OOM kills, upgrades, power cuts
	@.tools/apt debootstrap=debootstrap qemu-system-x86_64=qemu-system-x86 /usr/sbin/mkfs.ext4=e2fsprogs
	host/rigs/vm/run $(C2) $(VM)

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

$(APPS)/.done: .tools/apps
	@.tools/apt debootstrap=debootstrap
	@.tools/apps $(@D)
	@touch $@

.build/foreign/gvisor-%/.done: | debian
	@CGO_ENABLED=0 .tools/build-module gvisor.dev/gvisor $* $(@D) runsc shim
	@mv $(@D)/bin/shim $(@D)/bin/containerd-shim-runsc-v1
	@touch $@

.build/foreign/runc-%/.done: | debian
	@CGO_ENABLED=1 .tools/build-module github.com/opencontainers/runc $* $(@D) .
	@touch $@

.build/foreign/nvidia-%/.done: | debian
	@CGO_ENABLED=1 .tools/build-module github.com/NVIDIA/nvidia-container-toolkit $* $(@D) cmd/nvidia-container-runtime
	@touch $@

.build/rootfs/bin/busybox: .tools/rootfs | basic
	@.tools/rootfs .build/rootfs

$(TOOLS)/golangci-lint: TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/gotestsum:     TOOL := gotest.tools/gotestsum
$(TOOLS)/govulncheck:   TOOL := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/benchstat:     TOOL := golang.org/x/perf/cmd/benchstat
$(TOOLS)/%: .tools/go.mod | debian
	CGO_ENABLED=0 go build -C .tools -trimpath -o $(CURDIR)/$@ $(TOOL)
