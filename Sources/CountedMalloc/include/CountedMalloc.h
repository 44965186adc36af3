//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

#ifndef COUNTED_MALLOC_H
#define COUNTED_MALLOC_H

#include <stdbool.h>
#include <stdint.h>

/// Whether allocations can be counted: with glibc, and without a sanitizer.
bool counted_malloc_is_available(void);

/// Counts the heap allocations of all threads from here on, beginning with 0.
void counted_malloc_start(void);

/// Stops counting.
///
/// @return how many blocks were allocated since the start, or made larger or smaller by `realloc`.
uint64_t counted_malloc_stop(void);

#endif
