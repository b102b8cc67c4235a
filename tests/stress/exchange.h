/* exchange.h: a table through which threads hand blocks to each other.
 *
 *   EMPTY --offer--> BUSY --> FULL --accept--> BUSY --> EMPTY
 *
 * A place is claimed by compare-and-swap, so nobody waits for anybody; a busy place is passed over. The hand-over is
 * all the ordering that the two threads get: release by the giver, acquire by the taker, as between real programs'
 * threads. */
#ifndef ASHLAR_TESTS_EXCHANGE_H
#define ASHLAR_TESTS_EXCHANGE_H

#include <stdatomic.h>

#include "oracle.h"

enum { EXCHANGE_PLACES = 512 };

enum place_state { PLACE_EMPTY, PLACE_BUSY, PLACE_FULL };

struct exchange {
    struct {
        _Atomic int state;
        struct block block;
    } places[EXCHANGE_PLACES];
};

static inline bool exchange_claim(struct exchange *exchange, size_t index, int from)
{
    /* acquire: pairs with the release in exchange_settle(), which published the block or the end of its copying. */
    return atomic_compare_exchange_strong_explicit(&exchange->places[index].state, &from, PLACE_BUSY,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void exchange_settle(struct exchange *exchange, size_t index, int state)
{
    atomic_store_explicit(&exchange->places[index].state, state, memory_order_release);
}

/* Give `block` away at place `index`. returns: false when the place is taken; the block is still the caller's. */
static inline bool exchange_offer(struct exchange *exchange, size_t index, struct block *block)
{
    if (!exchange_claim(exchange, index, PLACE_EMPTY))
        return false;
    exchange->places[index].block = *block;
    block->start = NULL;
    exchange_settle(exchange, index, PLACE_FULL);
    return true;
}

/* Take what lies at place `index`, and check it. returns: false when there is nothing. */
static inline bool exchange_accept(struct exchange *exchange, size_t index, struct block *block)
{
    if (!exchange_claim(exchange, index, PLACE_FULL))
        return false;
    *block = exchange->places[index].block;
    exchange_settle(exchange, index, PLACE_EMPTY);
    block_check(block);
    return true;
}

static inline void exchange_clear(struct exchange *exchange)
{
    struct block block;
    for (size_t i = 0; i < EXCHANGE_PLACES; i++) {
        if (exchange_accept(exchange, i, &block))
            block_release(&block, i);
    }
}

#endif
