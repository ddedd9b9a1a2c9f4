/* SPDX-License-Identifier: BSD-2-Clause */
/* arch.h - the guest's architecture, chosen by the compiler's target. */
#ifndef CM_ARCH_H
#define CM_ARCH_H

#if defined(__x86_64__)
#include "guest/x86_64/arch.h"
#elif defined(__aarch64__)
#include "guest/arm64/arch.h"
#elif defined(__arm__)
#include "guest/arm/arch.h"
#else
#error "no guest for this target yet: guest/<isa>/arch.h"
#endif

#endif
