#ifndef SONNIM_APP_SIMULATE_SIM_CHANCE_H
#define SONNIM_APP_SIMULATE_SIM_CHANCE_H

/* Chance from a seed, in whole numbers only: the same on every machine, whatever its C library and
 * its floating point make of logarithms. The generator is splitmix64 (Steele, Lea, Flood: "Fast
 * splittable pseudorandom number generators", 2014). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_chance {
	uint64_t state;
};

static inline uint64_t sim_mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

/* What belongs to something for good: the same for the same seed, owner and question. */
static inline uint64_t sim_hash(uint64_t seed, uint64_t owner, unsigned question)
{
	return sim_mix(sim_mix(sim_mix(seed) ^ owner) + question);
}

static inline uint64_t sim_random(struct sim_chance *chance)
{
	uint64_t drawn = sim_mix(chance->state);
	chance->state += UINT64_C(0x9e3779b97f4a7c15);
	return drawn;
}

/* [0, bound), of 64 random bits. */
static inline uint64_t sim_scale(uint64_t random, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)random * bound) >> 64);
}

static inline uint64_t sim_below(struct sim_chance *chance, uint64_t bound)
{
	return sim_scale(sim_random(chance), bound);
}

static inline bool sim_happens(struct sim_chance *chance, unsigned per_mille)
{
	return sim_below(chance, 1000) < per_mille;
}

/* Exponentially distributed with this mean (0 to 2^57), at most 60 times the mean. */
int64_t sim_exponential(struct sim_chance *chance, int64_t mean);

#endif
