/* remote.h: the one atomic word that tells the truth about a slab: who owns it, and which blocks others have freed in
 * it.
 *
 *     63        61 60      41 40     39 38     26 25    13 12     0
 *    | unused | direct | owner | token | count | last | first |
 *
 * first, last: numbers of blocks in the slab; the blocks between them are linked. owner: id of a heap, 0 for an orphan.
 * direct: the owner is a shared heap; blocks are sent at once, since its slabs may end with blocks in them.
 * token: somebody has promised to bring the slab to its owner's inbox; see remote.c. */
#ifndef ASHLAR_HEAP_REMOTE_H
#define ASHLAR_HEAP_REMOTE_H

#include "heap/own.h"

enum { NUMBER_BITS = 13, OWNER_BITS = 20 };

struct remote {
    uint32_t first;
    uint32_t last;
    uint32_t count;
    bool token;
    uint32_t owner;
    bool direct;
};

static_assert(GRANULE_BYTES / BLOCK_ALIGN < 1u << NUMBER_BITS, "a block's number and a slab's count fit");

static inline uint64_t remote_pack(struct remote remote)
{
    return (uint64_t)remote.first | (uint64_t)remote.last << NUMBER_BITS | (uint64_t)remote.count << 2 * NUMBER_BITS |
           (uint64_t)remote.token << 3 * NUMBER_BITS | (uint64_t)remote.owner << (3 * NUMBER_BITS + 1) |
           (uint64_t)remote.direct << (3 * NUMBER_BITS + 1 + OWNER_BITS);
}

static inline struct remote remote_unpack(uint64_t word)
{
    const uint64_t number = (1u << NUMBER_BITS) - 1;

    return (struct remote){
        .first = (uint32_t)(word & number),
        .last = (uint32_t)(word >> NUMBER_BITS & number),
        .count = (uint32_t)(word >> 2 * NUMBER_BITS & number),
        .token = (word >> 3 * NUMBER_BITS & 1) != 0,
        .owner = (uint32_t)(word >> (3 * NUMBER_BITS + 1) & ((1u << OWNER_BITS) - 1)),
        .direct = (word >> (3 * NUMBER_BITS + 1 + OWNER_BITS) & 1) != 0,
    };
}

#endif
