# For people: `make help`. Each target forwards to a CMake preset or to a script; nothing is decided here.

PREFIX ?= /usr/local
export ASHLAR_BUILD ?= build

# $(call build,PRESET,TARGETS): configure and build, in build/ for release and in build-PRESET/ for the others.
build = cmake --preset $(1) >/dev/null && cmake --build --preset $(1) $(addprefix --target ,$(2))

.PHONY: help demo test build debug bench bench-quick bench-checks bench-mem bench-mem-quick programs stack-matrix floors paths classes \
	format check-format lint asan ubsan tsan clang aarch64 install clean setup

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Set up, build, and run two real programs on Ashlar
	@dev/setup.sh build demo
	@$(call build,release,libashlar.so ashlar libashlar-status.so)
	@dev/demo.sh

test: ## Set up, build, and run every test; the last line counts them
	@dev/setup.sh build test fast-programs
	@$(call build,release,all tests)
	@dev/test.pl build

build: ## Build the library and the command: build/libashlar.so, build/libashlar.a, build/ashlar
	@dev/setup.sh build
	@$(call build,release,all)

debug: ## Build with assertions on, each source alone, and run the tests on it
	@dev/setup.sh build test
	@$(call build,debug,all tests)
	@dev/test.pl build-debug

bench: build ## Measure against other malloc libraries, interleaved
	@dev/setup.sh bench
	@bench/run.py

bench-quick: build ## An eighth of the work, 4 repeats, no curves: under five minutes
	@dev/setup.sh bench
	@bench/run.py --quick

bench-checks: build ## Measure what the checks cost: against a build without them
	@dev/setup.sh bench
	@$(call build,unchecked,libashlar.so)
	@CONTESTANTS="ashlar ashlar-again unchecked" BENCH_RIVALS="ashlar-again=build/libashlar.so \
	unchecked=build-unchecked/libashlar.so" bench/run.py --quick --scale 100 --repeats 10

bench-mem: build ## Measure the memory functions against glibc's: some four minutes
	@dev/setup.sh bench-mem
	@bench/mem/run.py

bench-mem-quick: build ## The same with fewer cells: a minute
	@dev/setup.sh bench-mem
	@bench/mem/run.py --quick

programs: build ## Run real programs from Debian on Ashlar and compare (installs many packages)
	@dev/setup.sh test
	@tests/programs/run.py --install --memory

stack-matrix: ## Try the stack tools under every compiler, optimisation and hardening: a few minutes
	@dev/setup.sh build test clang
	@$(call build,release,libashlar-stack.a)
	@tests/stack/matrix.sh all

floors: ## Check that no floor of src/ reaches for a higher one, by includes and by symbols
	@dev/setup.sh build test
	@$(call build,release,ashlar_internal)
	@dev/floors.py build

paths: ## Count the instructions on the hot paths of malloc and free
	@dev/setup.sh build test
	@$(call build,release,libashlar.so)
	@dev/paths.py build/libashlar.so

classes: ## Judge size classes and granules by traces of real programs: some five minutes
	@dev/setup.sh build classes
	@dev/classes.py

format: ## Format every C source
	@dev/setup.sh tidy
	@dev/format.sh

check-format: ## Fail when a source is not formatted
	@dev/setup.sh tidy
	@dev/format.sh --check

lint: ## Run clang-tidy over every C source
	@dev/setup.sh build test tidy
	@cmake --preset debug-clang >/dev/null
	@dev/lint.sh build-debug-clang

asan: ## Run unit, conformance and stress tests under the address sanitizer
	@dev/setup.sh build test
	@$(call build,asan,all tests)
	@dev/test.pl build-asan

ubsan: ## Run the tests under the undefined-behaviour sanitizer
	@dev/setup.sh build test
	@$(call build,ubsan,all tests)
	@dev/test.pl build-ubsan

tsan: ## Run unit, conformance and stress tests under the thread sanitizer
	@dev/setup.sh build test
	@$(call build,tsan,all tests)
	@dev/test.pl build-tsan

clang: ## Build and test by clang: release, then the three sanitizers
	@dev/setup.sh build test clang
	@for preset in release-clang asan-clang ubsan-clang tsan-clang; do \
		$(call build,$$preset,all tests) && dev/test.pl build-$$preset || exit 1; \
	done

aarch64: ## Build for 64-bit Arm and run unit, conformance and stress tests under qemu
	@dev/setup.sh build test aarch64
	@$(call build,aarch64,all tests)
	@dev/test.pl build-aarch64

install: build ## Install under PREFIX (default /usr/local); DESTDIR is respected
	@cmake --install build --prefix $(PREFIX)

clean: ## Remove every build directory
	rm -rf build build-*/

setup: ## Install what building, testing and formatting need, from Debian's packages
	@dev/setup.sh build demo test tidy
