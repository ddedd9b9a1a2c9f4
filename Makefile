# SPDX-License-Identifier: BSD-2-Clause
# crossmod: one file, sources by glob; adding a source, a protocol or a scenario edits nothing here.
#
#   make setup    install what is missing (Debian)      make test     build, unit tests, scenarios
#   make          build/crossmod and the guest images   make demo     a first set of scenarios
#   make lint     static checks and borders             make sanitize, make fuzz
#   make test-hosts   the same verdicts on AMD-V, Arm's own on arm64 KVM, emulated
#   make guest PROTOCOLS=dir   with your own routines   make install PREFIX=/usr/local DESTDIR=
#   V=1 shows commands, WERROR=1 makes warnings errors, B=dir builds elsewhere.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION      := 0.1.0
COMMIT       := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
# CROSS=aarch64: the host program for arm64, in build/aarch64, from Debian's cross compiler and the
# libraries that `make setup` unpacks to SYSROOT.
CROSS        ?=
HOST_ARCH    := $(subst aarch64,arm64,$(or $(CROSS),$(shell uname -m)))
PREFIX       ?= /usr/local
DESTDIR      ?=
B            ?= build$(CROSS:%=/%)
V            ?= 0
FUZZ_SECONDS ?= 20
Q            := $(if $(filter 0,$(V)),@)
say           = $(if $(filter 0,$(V)),@printf '  %-8s%s\n' $(1) $(2))
comma        := ,

.PHONY: all guest setup demo test tests test-hosts unit check lint lint-sources lint-c lint-warnings fmt fmt-check \
	sanitize fuzz fuzzers install uninstall clean compile_commands.json FORCE
all: # the default goal; what it needs is below

# ---- host ------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := $(CROSS:%=%-linux-gnu-)gcc
endif
SYSROOT ?= build-hosts/sysroot-arm64
PKGS   := libelf jansson capstone libxxhash
WARN   := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wshadow \
	  -Wpointer-arith -Wwrite-strings -Wundef $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g

ifneq ($(CROSS),)
PKG_CFLAGS := -isystem $(SYSROOT)/usr/include
LDFLAGS    += -L$(SYSROOT)/usr/lib/$(CROSS)-linux-gnu
STATIC     := 1
else
# Asked by the first recipe that compiles, not when make starts: by then `setup` may have
# installed pkg-config. The answer replaces the variable, so it is asked once.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $$(PKGS)))$(or \
	     $(PKG_LIBS),$(error $(PKGS): not installed; `make setup` installs them))
endif

HOST_DEFS = -D_GNU_SOURCE -I. -Ivmm -DCROSSMOD_VERSION='"$(VERSION)"' \
	    -DCROSSMOD_COMMIT='"$(COMMIT)"' -DCROSSMOD_LIBDIR='"$(PREFIX)/lib/crossmod"' \
	    -DCROSSMOD_DATADIR='"$(PREFIX)/share/crossmod"' $(CPPFLAGS)
HOST_CC   = $(CC) -std=c11 -fno-pie $(HOST_DEFS) $(PKG_CFLAGS) $(WARN) $(CFLAGS)
HOST_LIBS = $(LDLIBS) $(PKG_LIBS) -lm -pthread

# The program is linked statically where every archive is installed: half of its start-up time was
# the dynamic linker, most of it relocations of libcapstone (`crossmod bench`, startup_ratio).
ARCHIVES    = elf z jansson capstone xxhash c
STATIC     ?= $(if $(filter-out /%,$(foreach l,$(ARCHIVES),$(shell $(CC) -print-file-name=lib$(l).a))),,1)
PROGRAM_LD  = $(if $(STATIC),-static $(LDLIBS) $(ARCHIVES:%=-l%) -lm -pthread,$(HOST_LIBS))
# The tests' library comes without archives of what it needs. Built for another machine it is found
# in SYSROOT, by whole paths, and the C library where the cross compiler has it.
CROSS_LIBC  = /usr/$(CROSS)-linux-gnu/lib
CROSS_DIRS  = $(foreach d,usr/lib lib,$(abspath $(SYSROOT))/$(d)/$(CROSS)-linux-gnu)
TEST_LD     = $(if $(CROSS),-Wl$(comma)-Bstatic $(patsubst %,-l%,$(filter-out c,$(ARCHIVES))) \
	      -Wl$(comma)-Bdynamic -lcriterion -lm -pthread \
	      -Wl$(comma)--dynamic-linker=$(CROSS_LIBC)/ld-linux-$(CROSS).so.1$(comma)--disable-new-dtags \
	      $(foreach d,$(CROSS_DIRS) $(CROSS_LIBC),-Wl$(comma)-rpath$(comma)$(d)$(comma)-rpath-link$(comma)$(d)),\
	      $(HOST_LIBS) -lcriterion)

# `bench` runs the guest's loop in a host thread too, at the guest's addresses: the program and the
# heap behind it, which is placed at random within 1 GiB of it, must not be there.
ABOVE_GUEST := -no-pie -Wl,-Ttext-segment=0x40000000

HOST_SRC := vmm/main.c $(sort $(filter-out vmm/tests/% vmm/fuzz/%,$(wildcard vmm/*/*.c)) \
	    $(wildcard vmm/arch/$(HOST_ARCH)/*.c))
TEST_SRC := $(sort $(wildcard vmm/tests/*.c))
FUZZ_SRC := $(sort $(wildcard vmm/fuzz/fuzz_*.c))
HOST_OBJ := $(HOST_SRC:%.c=$(B)/host/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(B)/host/%.o)
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(B)/host/%.o)
LIB_OBJ  := $(filter-out $(B)/host/vmm/main.o,$(HOST_OBJ))

$(B)/crossmod: $(HOST_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(ABOVE_GUEST) -o $@ $^ $(PROGRAM_LD)

$(B)/host/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST_CC) -MMD -MP -c -o $@ $<

# Sources that carry the commit or the installed paths are compiled anew when those change.
STAMPED := $(shell grep -lE 'CROSSMOD_(VERSION|COMMIT|LIBDIR|DATADIR)' $(HOST_SRC) $(TEST_SRC) /dev/null)
$(STAMPED:%.c=$(B)/host/%.o): $(B)/.stamp
$(B)/.stamp: FORCE
	$(Q)mkdir -p $(B)
	$(Q)echo '$(VERSION) $(COMMIT) $(PREFIX)' | cmp -s - $@ || \
		echo '$(VERSION) $(COMMIT) $(PREFIX)' > $@

# The compiler does not tell of what an assembler directive includes.
$(B)/host/vmm/report/report_page.o: vmm/report/report_page.html

# ---- guests ----------------------------------------------------------------
# clang and ld.lld build every guest on every host (arm is the AArch32 kernel, for arm64 hosts whose
# cores have AArch32 at EL1); PROTOCOLS=dir adds your own routines to images of their own,
# $(B)/guest-<isa>-<dir's name>.elf: dir/*.c for the host program's architecture, and dir/any,
# dir/x86_64 and dir/arm as in protocols/, and dir/<isa>.
GUESTS_x86_64  := x86_64
GUESTS_arm64   := arm64 arm
GUEST_CC       ?= clang
GUEST_LD       ?= ld.lld
GUEST_CFLAGS   := -std=c11 -Os -g -ffreestanding -nostdlib -fno-pic -fno-stack-protector \
		  -fno-asynchronous-unwind-tables -fno-common -ffunction-sections -Wall -Wextra \
		  -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla $(if $(WERROR),-Werror) -I.
GUEST_x86_64   := --target=x86_64-unknown-none-elf -mcmodel=small -mgeneral-regs-only -mno-red-zone
GUEST_arm64    := --target=aarch64-none-elf -mgeneral-regs-only -mno-outline-atomics -mstrict-align
GUEST_arm      := --target=armv8a-none-eabi -mthumb -mfloat-abi=soft -mno-unaligned-access \
		  -fno-jump-tables
GUEST_DUMP_arm := --triple=thumbv8a-none-eabi
GUEST_t32      := --target=armv7a-none-eabi -mthumb -mfloat-abi=soft -mno-unaligned-access
# Whose protocols an image holds, besides protocols/any.
PROTOCOL_DIR_x86_64 := x86_64
PROTOCOL_DIR_arm64  := arm
PROTOCOL_DIR_arm    := arm
PROTOCOLS      ?=
OWN_DIR        := $(abspath $(PROTOCOLS))
own_src         = $(sort $(wildcard $(foreach d,any $(PROTOCOL_DIR_$(1)) $(1),$(OWN_DIR)/$(d)/*.c) \
		  $(if $(filter $(1),$(GUESTS_$(HOST_ARCH))),$(OWN_DIR)/*.c)))
GUEST_ISAS     := $(foreach isa,$(GUESTS_x86_64) $(GUESTS_arm64),$(if $(OWN_DIR),$(if $(call own_src,$(isa)),$(isa)),$(isa)))
$(if $(GUEST_ISAS),,$(error no *.c in $(OWN_DIR)))
GUEST_SUFFIX   := $(if $(OWN_DIR),-$(notdir $(OWN_DIR)))
GUESTS         := $(GUEST_ISAS:%=$(B)/guest-%$(GUEST_SUFFIX).elf)

# The T32 executor is linked apart, as what it is, and becomes a piece of the arm64 image.
T32_SRC           := guest/executor.c $(sort $(wildcard guest/t32/*.S))
# What the two Arm kernels share.
GUEST_MORE_arm64  := guest/arm/flush.c
GUEST_MORE_arm    := guest/t32/execute.S guest/t32/sites.S
T32_OBJ           := $(T32_SRC:%=$(B)/guest/t32/%.o)
GUEST_OBJ         += $(T32_OBJ)
GUEST_EXTRA_arm64 := $(B)/guest/t32/t32.o

$(B)/guest/t32/%.o: % Makefile
	$(call say,GUESTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) $(GUEST_t32) -MMD -MP -c -o $@ $<

$(B)/guest/t32/t32.elf: $(T32_OBJ) guest/t32/link.lds
	$(call say,GUESTLD,$@)
	$(Q)$(GUEST_LD) -static -nostdlib --gc-sections --fatal-warnings -z noexecstack \
		-T guest/t32/link.lds -o $@ $(T32_OBJ)

$(B)/guest/t32/t32.o: $(B)/guest/t32/t32.elf scripts/embed-t32.sh
	$(Q)llvm-objcopy -O binary -j .t32 $< $(@:.o=.bin)
	$(Q)scripts/embed-t32.sh $< $(@:.o=.bin) > $(@:.o=.S)
	$(Q)$(GUEST_CC) $(GUEST_arm64) -c -o $@ $(@:.o=.S)

# What is for debuggers goes into a file of its own (they find it): every start reads the image.
define guest_rules
GUEST_SRC_$(1) := $$(sort $$(wildcard guest/*.c guest/$(1)/*.c guest/$(1)/*.S protocols/any/*.c \
		  protocols/$$(PROTOCOL_DIR_$(1))/*.c)) $$(GUEST_MORE_$(1)) $$(if $$(OWN_DIR),$$(call own_src,$(1)))
GUEST_OBJ_$(1) := $$(patsubst %,$(B)/guest/$(1)/%.o,$$(GUEST_SRC_$(1))) $$(GUEST_EXTRA_$(1))
GUEST_OBJ      += $$(GUEST_OBJ_$(1))

$(B)/guest/$(1)/%.o: % Makefile
	$$(call say,GUESTCC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(GUEST_CC) $$(GUEST_CFLAGS) $$(GUEST_$(1)) -MMD -MP -c -o $$@ $$<

# A file that was removed has to go from the image, too.
$(B)/guest-$(1)$$(GUEST_SUFFIX).list: FORCE
	$$(Q)mkdir -p $$(@D)
	$$(Q)echo '$$(GUEST_OBJ_$(1))' | cmp -s - $$@ || echo '$$(GUEST_OBJ_$(1))' > $$@

$(B)/guest-$(1)$$(GUEST_SUFFIX).elf: $$(GUEST_OBJ_$(1)) $(B)/guest-$(1)$$(GUEST_SUFFIX).list \
		guest/$(1)/link.lds scripts/check-guest.sh
	$$(call say,GUESTLD,$$@)
	$$(Q)$$(GUEST_LD) -static -nostdlib --fatal-warnings -z noexecstack -T guest/$(1)/link.lds \
		-o $$@ $$(GUEST_OBJ_$(1))
	$$(Q)llvm-objcopy --only-keep-debug $$@ $$(@:.elf=.debug)
	$$(Q)llvm-objcopy --strip-debug --add-gnu-debuglink=$$(@:.elf=.debug) $$@
	$$(Q)scripts/check-guest.sh $$@
	$$(Q)llvm-objdump -d --no-show-raw-insn $$(GUEST_DUMP_$(1)) $$@ > $$(@:.elf=.asm)
	$$(Q)llvm-nm -n $$@ > $$(@:.elf=.sym)
endef
$(foreach isa,$(GUEST_ISAS),$(eval $(call guest_rules,$(isa))))

all: $(B)/crossmod $(GUESTS)
guest: $(GUESTS)

# ---- setup and demo --------------------------------------------------------
setup:
	$(Q)scripts/setup.sh

# `make -j setup test`: nothing that needs a tool starts before the tools are there.
ifneq ($(filter setup,$(MAKECMDGOALS)),)
$(HOST_OBJ) $(TEST_OBJ) $(FUZZ_OBJ) $(GUEST_OBJ) lint-sources lint-c lint-warnings fmt fmt-check \
	sanitize fuzz compile_commands.json: | setup
endif

demo: all
	$(Q)scripts/demo.sh $(B)

# ---- tests -----------------------------------------------------------------
# Criterion 2.4.1 crashes on parameterised tests in PIE programs, hence -no-pie.
$(B)/test: $(LIB_OBJ) $(TEST_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(ABOVE_GUEST) -o $@ $^ $(TEST_LD)

# The planted faults are routines outside the tree's protocols, built as a user's are.
tests: $(B)/test $(GUESTS)
	$(Q)$(MAKE) guest PROTOCOLS=guest/planted

unit: tests
	$(Q)CROSSMOD_BUILD=$(B) $(UNIT_UNDER) $(B)/test --short-filename

# Hosts that QEMU emulates: what ends here as on this machine's KVM, and what may not run there.
TEST_HOSTS ?= amd arm64 arm64-el0
test-hosts: all tests
	$(Q)if [ -d '$(SYSROOT)' ]; then $(MAKE) CROSS=aarch64 B=$(B)/aarch64 all \
		$(if $(wildcard $(SYSROOT)/usr/include/criterion),tests); fi
	$(Q)scripts/check-hosts.sh $(B) $(if $(wildcard $(SYSROOT)),$(TEST_HOSTS),amd)

ifneq ($(wildcard /dev/kvm),)
check: all
	$(Q)scripts/check-scenarios.sh $(B)
	$(Q)scripts/check-replay.sh $(B)
	$(Q)scripts/check-html.sh $(B)
	$(Q)scripts/check-sweep.sh $(B)
	$(Q)scripts/check-cli.sh $(B)
	$(Q)CROSSMOD=$(B)/crossmod scripts/readme-table.sh --check
else
check: test-hosts
	@echo 'check: no /dev/kvm here: what an emulated host shows in the time was checked instead'
endif

# One after the other even under -j: free-running scenarios want the processors to themselves.
test: all unit
	$(Q)$(MAKE) check

# A leak found at exit does not fail a Criterion test, so the reports are counted.
SANITIZE := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=address,undefined
sanitize:
	$(Q)$(MAKE) B=$(B)-asan CFLAGS='$(SANITIZE)' UNIT_UNDER=scripts/count-reports.sh unit

fuzz: $(GUESTS)
	$(Q)$(MAKE) B=$(B)-fuzz CC=clang CFLAGS='$(SANITIZE),fuzzer-no-link' fuzzers
	$(Q)scripts/fuzz.sh $(B)-fuzz $(firstword $(GUESTS)) $(FUZZ_SECONDS)

# Kept, or make would delete them as intermediate files.
.SECONDARY: $(FUZZ_OBJ)
fuzzers: $(FUZZ_SRC:vmm/fuzz/%.c=$(B)/%)
$(B)/fuzz_%: $(B)/host/vmm/fuzz/fuzz_%.o $(LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -no-pie -o $@ $^ $(HOST_LIBS)

# ---- static checks ---------------------------------------------------------
TREE_C := $(sort $(wildcard $(foreach d,vmm vmm/* vmm/arch/* guest guest/* guest/planted/* protocols/*,\
	  $(d)/*.c $(d)/*.h)))

lint: lint-sources lint-c lint-warnings

lint-sources:
	$(call say,LINT,'borders shellcheck cppcheck')
	$(Q)scripts/check-layers.sh
	$(Q)shellcheck scripts/*.sh .ci/run
	$(Q)cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=unknownMacro --std=c11 -j2 -I. -Ivmm -D__x86_64__ vmm

lint-c: compile_commands.json
	$(call say,LINT,clang-tidy)
	$(Q)printf '%s\n' $(HOST_SRC) $(FUZZ_SRC) $(sort $(filter %.c,$(foreach i,$(GUEST_ISAS),$(GUEST_SRC_$(i))))) | \
		xargs -n 4 -P 2 clang-tidy --quiet -p $(B)

# Every warning is an error, gcc's own analyser included. Two of its checks are off: gcc 12's leak
# check does not understand ownership handed out through a pointer argument, and its uninitialised
# values include members of initialised structs. The sanitizers and clang-tidy look for both.
lint-warnings:
	$(call say,LINT,'gcc -fanalyzer')
	$(Q)$(MAKE) B=$(B)-lint CC=gcc WERROR=1 \
		CFLAGS='-O2 -g -fanalyzer -Wno-analyzer-malloc-leak \
		-Wno-analyzer-use-of-uninitialized-value' all
	$(Q)$(MAKE) B=$(B)-lint-tests CC=gcc WERROR=1 CFLAGS='-O2 -g' $(B)-lint-tests/test

fmt:
	clang-format -i $(TREE_C)

fmt-check:
	$(call say,FMT,'$(words $(TREE_C)) files')
	$(Q)clang-format --dry-run --Werror --ferror-limit=2 $(TREE_C)

# For clangd and clang-tidy, both of which look in build/ too.
command = {"directory": "$(CURDIR)", "file": "$(2)", "command": "$(subst ",\",$(1) -c $(2))"}
commands = $(call command,$(HOST_CC),$(firstword $(HOST_SRC))) \
	$(foreach f,$(wordlist 2,9999,$(HOST_SRC)) $(TEST_SRC) $(FUZZ_SRC),$(comma)$(call command,$(HOST_CC),$(f))) \
	$(foreach isa,$(GUEST_ISAS),$(foreach f,$(GUEST_SRC_$(isa)),$(comma)$(call \
		command,$(GUEST_CC) $(GUEST_CFLAGS) $(GUEST_$(isa)),$(f))))
# The file is written when make expands the recipe, before it runs a line of it.
compile_commands.json:
	$(shell mkdir -p $(B))$(file >$(B)/$@,[$(commands)])

# ---- installation ----------------------------------------------------------
DEST = $(DESTDIR)$(PREFIX)
install: all
	install -d '$(DEST)/bin' '$(DEST)/lib/crossmod'
	install -m 755 $(B)/crossmod '$(DEST)/bin'
	install -m 644 $(GUESTS) '$(DEST)/lib/crossmod'
	install -m 755 scripts/emulated-host.sh scripts/emulated-init.sh scripts/fetch-hosts.sh \
		'$(DEST)/lib/crossmod'
	$(if $(wildcard $(B)/aarch64/crossmod),install -d '$(DEST)/lib/crossmod/aarch64' && \
		install -m 755 $(B)/aarch64/crossmod '$(DEST)/lib/crossmod/aarch64' && \
		install -m 644 $(wildcard $(GUESTS_arm64:%=$(B)/aarch64/guest-%.elf)) '$(DEST)/lib/crossmod/aarch64')
	find scenarios -name '*.json' -exec install -D -m 644 {} '$(DEST)/share/crossmod/{}' ';'
	install -D -m 644 scenarios/schema.json '$(DEST)/share/crossmod/schema.json'
	install -D -m 644 vmm/crossmod.1 '$(DEST)/share/man/man1/crossmod.1'
	install -d '$(DEST)/share/doc/crossmod'
	install -m 644 $(wildcard README.md) LICENSE '$(DEST)/share/doc/crossmod'

uninstall:
	rm -f '$(DEST)/bin/crossmod' '$(DEST)/share/man/man1/crossmod.1'
	rm -rf '$(DEST)/lib/crossmod' '$(DEST)/share/crossmod' '$(DEST)/share/doc/crossmod'

clean:
	rm -rf $(B) $(B)-asan $(B)-fuzz $(B)-lint $(B)-lint-tests

-include $(HOST_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(GUEST_OBJ:.o=.d)
