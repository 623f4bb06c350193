#ifndef SONNIM_ACCESS_ATTEMPTS_H
#define SONNIM_ACCESS_ATTEMPTS_H

/* How long somebody who has guessed wrong must wait until he may guess again, and that nobody locks
 * out others by guessing.
 *
 * Wrong guesses are counted by what the guesser cannot choose for his victim:
 *   - address and person together: ATTEMPTS_FREE are free, then each doubles the delay, from ten
 *     seconds to ATTEMPTS_DELAY_MS_MAX;
 *   - the address alone, over all persons: the same behind ATTEMPTS_FREE_ADDRESS;
 *   - a device that the person has logged in from before (it proves so): by itself alone, whatever
 *     others do, from its address or another.
 * There is no count of the person alone: with one, anybody could keep him out. A right guess
 * forgets what was counted of the pair or the device, the address's stays. What is older than
 * ATTEMPTS_FORGET_MS is forgotten.
 *
 * An attempt that comes too early is not looked at: it tells nothing, and counts for nothing.
 * Whether the person exists plays no part. Of an IPv6 address the first 64 bits count.
 *
 * Memory: ATTEMPTS_SLOTS × 32 bytes; a full bucket of them forgets its oldest. Threads: any. Time
 * is the caller's, milliseconds that never go back. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
	ATTEMPTS_SLOTS        = 1 << 16,
	ATTEMPTS_FREE         = 5,
	ATTEMPTS_FREE_ADDRESS = 50,
	ATTEMPTS_DELAY_MS_MIN = 10 * 1000,
	ATTEMPTS_DELAY_MS_MAX = 15 * 60 * 1000,
	ATTEMPTS_FORGET_MS    = 60 * 60 * 1000,
};

struct attempts;
struct attempts *attempts_new(void);
void             attempts_free(struct attempts *attempts);

/* Who guesses: the two or three counters of an attempt. */
struct attempt {
	uint64_t pair;    /* of address and person, or of the device */
	uint64_t address; /* 0: a known device, for which the address does not count */
};

/* `device` empty: none that is known. `address` as http_client_address() gives it. */
struct attempt attempt_of(const struct attempts *attempts, struct text address, struct text person,
                          struct text device);

/* STATUS_LIMITED when it comes too early; `*ret_wait_ms` is then how long to wait. */
MUST_USE enum status attempts_admit(struct attempts *attempts, const struct attempt *attempt,
                                    int64_t now_ms, int64_t *ret_wait_ms, struct error *err);

void attempts_failed(struct attempts *attempts, const struct attempt *attempt, int64_t now_ms);
void attempts_succeeded(struct attempts *attempts, const struct attempt *attempt);

#endif
