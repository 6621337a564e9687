# driftd: plain GNU make. `make help` lists what there is to type.

VERSION := 0.1.0
prefix  ?= /usr/local
BUILD   ?= build
V       ?= 0
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif

# What a machine needs, by purpose. `make deps` installs what is missing of all of it.
DEPS_BUILD := gcc libc6-dev make pkg-config libczmq-dev libzmq3-dev libyaml-dev libsqlite3-dev libjansson-dev libsystemd-dev libmsgpack-dev libmicrohttpd-dev
DEPS_CHECK := check man-db python3 python3-zmq python3-msgpack python3-numpy python3-scipy python3-sklearn
DEPS_DEMO  := python3 python3-zmq python3-numpy python3-scipy python3-sklearn dataset-fashion-mnist
DEPS_DEB   := build-essential debhelper dpkg-dev
DEPS_HOUSE := clang-tidy cppcheck valgrind gcovr binutils clang llvm libclang-rt-14-dev

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
ifdef CI
WARNINGS += -Werror
endif
OPTIMIZE ?= -O2 -g -D_FORTIFY_SOURCE=2
HARDEN   ?= -fstack-protector-strong -fPIE
LDHARDEN ?= -pie -Wl,-z,relro,-z,now

PKGS_LIB    := yaml-0.1 jansson
PKGS_DAEMON := libczmq libzmq sqlite3 libsystemd libmicrohttpd
PKGS_CLI    := libzmq msgpack
# Each question is asked of pkg-config once, and only when something is built.
empty :=
pkg_memo     = pkg_memo_$(subst $(empty) $(empty),_,$(1) $(strip $(2)))
pkg_flags    = $(if $(filter undefined,$(origin $(pkg_memo))),$(eval $(pkg_memo) := $(shell pkg-config $(1) $(2) 2>/dev/null)))$($(pkg_memo))

CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE -DDRIFT_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 -ffp-contract=off $(WARNINGS) $(OPTIMIZE) $(SANITIZE)
LDFLAGS  += $(SANITIZE)

LIB_SRC    := $(sort $(wildcard lib/*.c lib/*/*.c))
DAEMON_SRC := $(sort $(wildcard daemon/*.c daemon/*/*.c))
CLI_SRC    := $(sort $(wildcard cli/*.c))
# Failpoints and a disk that fails on order: in the build of `make fault`, and in no other.
ifdef FAULTS
DAEMON_SRC += tests/fault/points.c
CPPFLAGS   += -DDRIFT_FAILPOINTS
endif
TEST_SRC   := $(sort $(wildcard tests/unit/check_*.c tests/story/story_*.c))
BENCH_SRC  := $(sort $(wildcard bench/*.c))
# Everything of the daemon but its main(), so that tests can link stations.
STATION_SRC := $(filter-out daemon/main.c,$(DAEMON_SRC))

LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(BUILD)/obj/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/obj/%.o)
STATION_OBJ := $(STATION_SRC:%.c=$(BUILD)/obj/%.o)
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)

quiet = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

.PHONY: page drill all help deps deps-build check demo asan tsan valgrind lint floors pure coverage bench bench-gate bench-decisions bench-detection fuzz fuzz-coverage fault soak system install uninstall deb deb-check clean test-bins check-run demo-run

all: $(BUILD)/driftd $(BUILD)/driftc $(BUILD)/libdrift.a $(BUILD)/libdrift.so

help:
	@sed -n 's/^#> //p' Makefile

#> driftd - watches models in production and asks for their retraining
#>
#>   make deps        install the Debian packages that are missing (make deps-build: those to build with)
#>   make             build/driftd, build/driftc, build/libdrift.{a,so}
#>   make demo        the main job on real images, told as it happens (about a minute)
#>   make check       every test; ends with "N passed, N failed"
#>   make asan        the same tests under the address and undefined sanitizers
#>   make tsan        the same tests under the thread sanitizer
#>   make valgrind    the unit tests under valgrind
#>   make coverage    line coverage of lib/
#>   make lint        clang-tidy and cppcheck
#>   make floors      no file includes what its floor may not
#>   make pure        the pure core links memory, string and math only
#>   make fuzz        what reads bytes from outside, and the configuration, against libFuzzer, briefly
#>   make fuzz-coverage  what of lib/wire and lib/config the inputs of the fuzzers reach
#>   make fault       kill -9, dead trainers, restarts: nothing is lost
#>   make soak        10^7 events at full speed under reloads and dying trainers: nothing grows, nothing is lost
#>   make system      unit and packages under a real systemd: upgrade, crash, hang, boot (root; else skipped)
#>   make page        the status page in a real browser (skipped where there is none)
#>   make drill       a real Prometheus, things that go wrong, and the alerts that fire (skipped where there is none)
#>   make bench       ratios against a bare libzmq receive loop, to build/bench.json
#>   make bench-gate  instructions an event on the hot path, against what was reached
#>   make bench-decisions BASE=main  whether detectors and monitors decide as that revision does, to the last bit
#>   make bench-detection  false alarms and delays of every detector; a healthy fleet for a month (minutes)
#>   make install     to DESTDIR and prefix (make uninstall takes it away)
#>   make deb         build/deb/*.deb: driftd, libdrift0, libdrift-dev (no root needed)
#>   make deb-check   lintian finds nothing, and two builds in two places give the same bytes
#>   make clean       remove build/
#>
#>   V=1 shows commands, CI=1 makes warnings errors.

deps:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_CHECK) $(DEPS_DEMO) $(DEPS_HOUSE))
	@tests/house/promtool.sh build/promtool

deps-build:
	@tests/house/deps.sh $(DEPS_BUILD)

deps-check:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_CHECK))

deps-demo:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_DEMO))

# Who begins with `make` on a machine without a compiler or a library is told what to type.
$(BUILD)/tools:
	@command -v $(firstword $(CC)) >/dev/null && command -v pkg-config >/dev/null && \
	  pkg-config --exists $(PKGS_LIB) $(PKGS_DAEMON) $(PKGS_CLI) || \
	  { echo "A compiler, pkg-config or a library is missing: \`make deps-build\` installs what it takes." >&2; exit 1; }
	@mkdir -p $(@D) && touch $@

$(BUILD)/obj/%.o: %.c | $(BUILD)/tools
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(call pkg_flags,--cflags,$(PKGS_LIB) $(PKGS_DAEMON)) $(CFLAGS) $(HARDEN) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

# The status page is taken into the program as it stands.
$(BUILD)/obj/daemon/observe/page.o: $(wildcard daemon/observe/page/*)

$(BUILD)/libdrift.a: $(LIB_OBJ)
	$(call quiet,AR,$@)rm -f $@ && ar rcs $@ $(LIB_OBJ)

$(BUILD)/libdrift.so: $(LIB_OBJ)
	$(call quiet,LD,$@)$(CC) -shared -Wl,-soname,libdrift.so.0 $(LDFLAGS) -Wl,-z,relro,-z,now -o $@ $(LIB_OBJ) $(call pkg_flags,--libs,$(PKGS_LIB)) -lm

$(BUILD)/driftd: $(DAEMON_OBJ) $(BUILD)/libdrift.a
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) $(LDHARDEN) -o $@ $(DAEMON_OBJ) $(BUILD)/libdrift.a $(call pkg_flags,--libs,$(PKGS_DAEMON) $(PKGS_LIB)) -lm -lpthread

$(BUILD)/driftc: $(CLI_OBJ) $(BUILD)/libdrift.a
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) $(LDHARDEN) -o $@ $(CLI_OBJ) $(BUILD)/libdrift.a $(call pkg_flags,--libs,$(PKGS_CLI) $(PKGS_LIB)) -lm -lpthread

# A test program is one file, linked with the library and the stations.
$(BUILD)/libstations.a: $(STATION_OBJ)
	$(call quiet,AR,$@)rm -f $@ && ar rcs $@ $(STATION_OBJ)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libdrift.a $(BUILD)/libstations.a
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CC) $(LDFLAGS) $(LDHARDEN) -o $@ $< $(BUILD)/libstations.a $(BUILD)/libdrift.a $(call pkg_flags,--libs,check $(PKGS_DAEMON) $(PKGS_LIB)) -lm -lpthread

test-bins: $(TEST_BIN)

check:
	@$(MAKE) --no-print-directory deps-check
	@$(MAKE) --no-print-directory check-run

LINE_TESTS ?= $(wildcard tests/line/test_*.py)
RUN_BIN    ?= $(TEST_BIN)

check-run: all test-bins
	@BUILD=$(BUILD) python3 tests/run.py $(RUN_BIN) $(LINE_TESTS)

asan:
	@$(MAKE) --no-print-directory deps-check
	@$(MAKE) --no-print-directory check-run BUILD=$(BUILD)/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer' OPTIMIZE='-O1 -g'

# libzmq is not built for the thread sanitizer; tests/house/tsan.supp says what that means. Only what has threads is run: the
# stations and the daemon over real sockets, not the pure detectors and their long sums.
TSAN_TESTS := pages clock doors inbox large_pages log notify frame endpoint ingest nodes nodes_ended shard shard_door workers ledger control lists observe handshakes dispatch requests requests_feedback requests_limits \
  requests_restart requests_thread store store_damage keyring security
tsan: export TSAN_OPTIONS = suppressions=$(CURDIR)/tests/house/tsan.supp
tsan:
	@$(MAKE) --no-print-directory deps-check
	@$(MAKE) --no-print-directory check-run BUILD=$(BUILD)/tsan SANITIZE='-fsanitize=thread' OPTIMIZE='-O1 -g' HARDEN='' LDHARDEN='' \
	  RUN_BIN='$(foreach t,$(TSAN_TESTS),$(BUILD)/tsan/tests/unit/check_$(t))' \
	  LINE_TESTS='$(wildcard tests/line/test_daemon_*.py) tests/line/test_drift_rules.py'

floors:
	@python3 tests/house/floors.py

pure: $(BUILD)/libdrift.a
	@python3 tests/house/pure.py $(BUILD)

lint:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_HOUSE))
	@BUILD=$(BUILD) tests/house/lint.sh "$(CPPFLAGS) -std=c11 $(call pkg_flags,--cflags,$(PKGS_LIB) $(PKGS_DAEMON) $(PKGS_CLI))" $(LIB_SRC) $(DAEMON_SRC) $(CLI_SRC) $(BENCH_SRC)

valgrind: all test-bins
	@for t in $(filter $(BUILD)/tests/unit/%,$(TEST_BIN)); do echo "  VALGR  $$t"; \
	  CK_FORK=no valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite $$t >$(BUILD)/valgrind.log 2>&1 \
	  || { cat $(BUILD)/valgrind.log; exit 1; }; done

# Threads and killed processes leave lines of gcov that gcovr cannot read: it is to tell of them and go on.
coverage:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_CHECK) gcovr)
	@$(MAKE) --no-print-directory check-run BUILD=$(BUILD)/coverage SANITIZE='--coverage' OPTIMIZE='-O0 -g' HARDEN=''
	@gcovr --gcov-ignore-parse-errors --root . --object-directory $(BUILD)/coverage --filter 'lib/' --print-summary -o $(BUILD)/coverage/lines.txt
	@echo "per file: $(BUILD)/coverage/lines.txt"

# Fuzzers need clang's runtime; two at a time, each runs FUZZ_S seconds from its examples, where it has some. The library and the
# stations that read from outside are built for them once.
FUZZ_S ?= 20
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FLAGS := -std=c11 -O1 -g -fno-sanitize-recover=undefined -fsanitize=address,undefined
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(LIB_SRC) $(wildcard $(foreach s,base security control observe,daemon/$(s)/*.c)))

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,FUZZ,$<)clang $(CPPFLAGS) $(call pkg_flags,--cflags,$(PKGS_LIB) $(PKGS_DAEMON)) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/libfuzzed.a: $(FUZZ_OBJ)
	$(call quiet,AR,$@)rm -f $@ && ar rcs $@ $(FUZZ_OBJ)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libfuzzed.a
	$(call quiet,LD,$@)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(BUILD)/fuzz/libfuzzed.a $(call pkg_flags,--libs,$(PKGS_DAEMON) $(PKGS_LIB)) -lm -lpthread

fuzz:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) clang libclang-rt-14-dev)
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j2) $(FUZZERS:%=$(BUILD)/fuzz/%)
	@printf '%s\n' $(FUZZERS) | BUILD=$(BUILD) FUZZ_S=$(FUZZ_S) xargs -P 2 -n 1 tests/fuzz/run.sh

# Built once more, so that clang counts.
fuzz-coverage:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) clang llvm libclang-rt-14-dev)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz/coverage FUZZ_FLAGS='-std=c11 -O1 -g -fprofile-instr-generate -fcoverage-mapping' \
	  $(FUZZERS:%=$(BUILD)/fuzz/coverage/fuzz/%)
	@BUILD=$(BUILD) tests/fuzz/coverage.sh $(FUZZERS)

# Short: each failpoint ROUNDS times, the power cut in a short run. By hand: `make fault ROUNDS=200 POWER=500 FLOOD=10000`.
FAULT_BIN := $(patsubst %.c,$(BUILD)/fault/%,$(wildcard tests/fault/check_*.c))

FAULT_CLOCK := $(BUILD)/fault/tests/fault/clock_shift.so

$(BUILD)/tests/fault/%.so: tests/fault/%.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) -std=c11 $(WARNINGS) -O2 -fPIC -shared -o $@ $<

fault: all
	@$(MAKE) --no-print-directory FAULTS=1 BUILD=$(BUILD)/fault $(BUILD)/fault/driftd $(BUILD)/fault/driftc $(FAULT_BIN) $(FAULT_CLOCK)
	@BUILD=$(BUILD)/fault python3 tests/run.py $(wildcard tests/fault/test_*.py) $(FAULT_BIN)

# SOAK=1000000000 for a billion events.
soak: all
	@BUILD=$(BUILD) /usr/bin/python3 tests/soak/soak.py

# The packages are made only where somebody can install them.
system: all
	@[ "$$(id -u)" -ne 0 ] || $(MAKE) --no-print-directory deb >/dev/null
	@BUILD=$(BUILD) tests/system/run.sh

BENCH := $(BENCH_SRC:bench/%.c=$(BUILD)/bench/%)

$(BUILD)/bench/%: bench/%.c bench/traffic.h bench/decisions.h $(BUILD)/libdrift.a $(BUILD)/libstations.a
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(BUILD)/libstations.a $(BUILD)/libdrift.a $(call pkg_flags,--libs,$(PKGS_DAEMON) $(PKGS_LIB)) -lm -lpthread

bench: all $(BENCH)
	@BUILD=$(BUILD) /usr/bin/python3 bench/run.py

bench-gate: $(BUILD)/bench/hotpath
	@tests/house/deps.sh $(sort $(DEPS_BUILD) valgrind)
	@BUILD=$(BUILD) SET=$(SET) /usr/bin/python3 bench/gate.py

bench-decisions:
	@BUILD=$(BUILD) bench/decisions.sh $(or $(BASE),main)

bench-detection: $(BUILD)/bench/detection $(BUILD)/bench/detection_fleet
	@$(BUILD)/bench/detection >$(BUILD)/detection.tsv
	@python3 bench/detection_report.py $(BUILD)/detection.tsv $(BUILD)/detection.svg
	@$(BUILD)/bench/detection_fleet
	@echo "figures: $(BUILD)/detection.tsv, $(BUILD)/detection.svg"

page: all
	@BUILD=$(BUILD) tests/page/run.sh

drill: all
	@BUILD=$(BUILD) /usr/bin/python3 tests/drill/test_prometheus.py

install: all
	@LIBDIR="$(libdir)" UNITDIR="$(unitdir)" tests/house/install.sh install "$(DESTDIR)" "$(prefix)" "$(BUILD)" "$(VERSION)"

uninstall:
	@LIBDIR="$(libdir)" UNITDIR="$(unitdir)" tests/house/install.sh uninstall "$(DESTDIR)" "$(prefix)" "$(BUILD)" "$(VERSION)"

# Built from a copy of the tree: nothing of it is left here, and what is here does not get into it.
deb:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_DEB))
	@tests/house/deb.sh build $(BUILD)/deb

deb-check:
	@tests/house/deps.sh $(sort $(DEPS_BUILD) $(DEPS_DEB) lintian)
	@tests/house/deb.sh check $(BUILD)/deb

demo:
	@$(MAKE) --no-print-directory deps-demo
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory demo-run

demo-run:
	@BUILD=$(BUILD) python3 examples/vision/demo.py

clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(DAEMON_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_SRC:%.c=$(BUILD)/obj/%.d) $(patsubst %.c,$(BUILD)/obj/%.d,$(wildcard tests/fault/check_*.c)) \
  $(FUZZ_OBJ:.o=.d) $(FUZZERS:%=$(BUILD)/fuzz/obj/tests/fuzz/%.d)
# Objects of tests are kept: make would take them for intermediates and build them again.
.SECONDARY:
