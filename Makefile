# crossmod: one file, sources by glob; adding a source, a protocol or a scenario edits nothing here.
#
#   make setup	install what is missing (Debian packages)	make test	build and run every test
#   make	build/crossmod and the guest images		make demo	a first set of scenarios
#   make lint	static checks and borders			make install PREFIX=/usr/local

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION   := 0.1.0
COMMIT    := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
HOST_ARCH := $(shell uname -m)
PREFIX    ?= /usr/local
DESTDIR   ?=
B         ?= build
V         ?= 0
Q         := $(if $(filter 0,$(V)),@)
say        = $(if $(filter 0,$(V)),@printf '  %-8s%s\n' $(1) $(2))

# ---- host ------------------------------------------------------------------
CC       ?= gcc
PKGS     := libelf jansson capstone libxxhash
WARN     := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wshadow \
	    -Wpointer-arith -Wwrite-strings -Wundef $(if $(WERROR),-Werror)
CFLAGS   ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -I. -Ivmm -DCROSSMOD_VERSION='"$(VERSION)"' -DCROSSMOD_COMMIT='"$(COMMIT)"' \
	    -DCROSSMOD_LIBDIR='"$(PREFIX)/lib/crossmod"' -DCROSSMOD_DATADIR='"$(PREFIX)/share/crossmod"' \
	    $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread

HOST_SRC := $(sort $(wildcard vmm/*.c vmm/arch/$(HOST_ARCH)/*.c))
HOST_OBJ := $(HOST_SRC:%.c=$(B)/host/%.o)
TEST_SRC := $(sort $(wildcard vmm/tests/*.c))
TEST_OBJ := $(TEST_SRC:%.c=$(B)/host/%.o)

# ---- guests ----------------------------------------------------------------
# clang and ld.lld build every guest on every host; PROTOCOLS=dir adds your own routines.
GUEST_ISAS     := x86_64
GUEST_CC       ?= clang
GUEST_LD       ?= ld.lld
GUEST_CFLAGS   := -std=c11 -Os -g -ffreestanding -nostdlib -fno-pic -fno-stack-protector \
		  -fno-asynchronous-unwind-tables -fno-common -ffunction-sections -Wall -Wextra \
		  -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla $(if $(WERROR),-Werror) -I.
GUEST_x86_64   := --target=x86_64-unknown-none-elf -mcmodel=small -mgeneral-regs-only -mno-red-zone
PROTOCOLS      ?=
GUEST_SUFFIX   := $(if $(PROTOCOLS),-$(notdir $(abspath $(PROTOCOLS))))
GUESTS         := $(GUEST_ISAS:%=$(B)/guest-%$(GUEST_SUFFIX).elf)

.PHONY: all guest setup demo test unit lint fmt fmt-check sanitize fuzz install clean
all: $(B)/crossmod $(GUESTS)
guest: $(GUESTS)

$(B)/crossmod: $(HOST_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/host/%.o: %.c | $(B)/.commit
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 $(CPPFLAGS) $(WARN) $(CFLAGS) -MMD -MP -c -o $@ $<

# Only main.c and host.c carry the commit; they follow it.
$(B)/host/vmm/host.o: $(B)/.commit
$(B)/.commit: FORCE
	$(Q)mkdir -p $(B)
	$(Q)echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@
FORCE:

define guest_rules
GUEST_SRC_$(1) := $$(sort $$(wildcard guest/*.c guest/$(1)/*.c guest/$(1)/*.S protocols/any/*.c \
		  protocols/$(1)/*.c $$(if $$(PROTOCOLS),$$(PROTOCOLS)/*.c)))
GUEST_OBJ_$(1) := $$(patsubst %,$(B)/guest/$(1)/%.o,$$(GUEST_SRC_$(1)))

$(B)/guest/$(1)/%.o: % Makefile
	$$(call say,GUESTCC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(GUEST_CC) $$(GUEST_CFLAGS) $$(GUEST_$(1)) -MMD -MP -c -o $$@ $$<

$(B)/guest-$(1)$$(GUEST_SUFFIX).elf: $$(GUEST_OBJ_$(1)) guest/$(1)/link.lds
	$$(call say,GUESTLD,$$@)
	$$(Q)$$(GUEST_LD) -static -nostdlib --fatal-warnings -z noexecstack -T guest/$(1)/link.lds -o $$@ $$(GUEST_OBJ_$(1))
	$$(Q)scripts/check-guest.sh $$@
	$$(Q)llvm-objdump -d --no-show-raw-insn $$@ > $$(@:.elf=.asm)
	$$(Q)llvm-nm -n $$@ > $$(@:.elf=.sym)

-include $$(GUEST_OBJ_$(1):.o=.d)
endef
$(foreach isa,$(GUEST_ISAS),$(eval $(call guest_rules,$(isa))))

# ---- tests -----------------------------------------------------------------
# Criterion 2.4.1 crashes on parameterised tests in PIE programs, hence -no-pie.
$(B)/test: $(filter-out $(B)/host/vmm/main.o,$(HOST_OBJ)) $(TEST_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -no-pie -o $@ $^ $(LDLIBS) -lcriterion

-include $(HOST_OBJ:.o=.d) $(TEST_OBJ:.o=.d)

unit: $(B)/test $(GUESTS)
	$(Q)CROSSMOD_BUILD=$(B) $(B)/test --short-filename

test: all unit

clean:
	rm -rf $(B)
