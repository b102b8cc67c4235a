/* remote.pml: how blocks freed by other threads find home, as src/heap/remote.c and src/heap/orphan.c do it, for Spin.
 *
 *   free --> word of the slab --token--> inbox of its owner --> owner
 *
 * One slab, BLOCKS blocks, three threads that do STEPS steps together, of any kind and in any order: free a block that
 * the program holds (whoever got it), allocate, collect, adopt, end and begin again. Every shared access is a
 * step of its own. At last a thread that owns nothing frees what is left.
 *
 * To be shown, by assertions:
 *   - a block comes home once: whatever is taken off the word was put there, and is free afterwards
 *   - a slab ends once, with no block in use, no token out, and in no list
 *   - a token is in one hand or in one inbox; in the end every token has been delivered
 *   - in the end an orphan with blocks to hand out is listed; when every block is free, the slab has ended
 *
 * Each rule of the protocol can be taken away, and Spin must then find the accident:
 *   -DNO_LOCK    end an orphan by what was read outside the lock
 *   -DNO_HOLD    drop the lock before the orphan has ended
 *   -DNO_LIST    an orphan is not listed when blocks come home
 *   -DNO_TOKEN   everybody who sends brings the slab
 *   -DNO_CLOSE   an inbox is never closed
 *   -DNO_RETURN  what lies in the inbox of a heap that ends stays there
 *   -DNO_CHECK   the last block home ends no orphan
 *   -DNO_BUSY    a visitor does not look whether the owner is inside a slow path
 *   -DNO_ORDER   the owner counts a block that it frees before it has put it on the list
 *   -DNO_COUNT   a visitor ends a slab of which the program has blocks */
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef STEPS
#define STEPS 4
#endif
#define THREADS 3

/* The word: first and last block, count, token, owner; block 0 is none. */
#define PACK(first, last, count, token, owner) ((first) | (last) << 2 | (count) << 4 | (token) << 6 | (owner) << 7)
#define FIRST(word) ((word) & 3)
#define LAST(word) ((word) >> 2 & 3)
#define COUNT(word) ((word) >> 4 & 3)
#define TOKEN(word) ((word) >> 6 & 1)
#define OWNER(word) ((word) >> 7 & 7)

mtype = {NONE, HELD, SENDING, WAITING, FREE}; /* by the program; being freed; in the word; with the slab */
mtype = {EMPTY, FULL, CLOSED};

short word = PACK(0, 0, 0, 0, 1);
byte used = BLOCKS;         /* the slab's own count; written by its owner */
byte next[4];               /* links */
mtype place[4] = NONE;      /* of each block; 0 is none */
mtype inbox[THREADS + 1] = EMPTY; /* there is one slab */
bool listed;                /* among the orphans; guarded by lock */
bit lock;                   /* the orphans' */
bool ended;
bool owns[THREADS + 1];     /* which thread is the slab's owner, as itself sees it */
bool busy[THREADS + 1];     /* inside a slow path */
bool visited[THREADS + 1];  /* a visitor holds the heap's lock */
byte bearers;               /* threads that have the slab in hand for its token */
byte steps;                 /* done by all threads */
byte finished;

#define TAKE_LOCK atomic { lock == 0 -> lock = 1 }
#define DROP_LOCK lock = 0

/* Compare-and-swap: `done` says whether `seen` was still there; if not, `seen` is what is. */
inline swap_word(wanted)
{
    atomic {
        if
        :: word == seen -> word = wanted; done = true
        :: else -> seen = word; done = false
        fi
    }
}

/* The blocks that `from` names are free now. */
inline take_home(from)
{
    atomic {
        block = FIRST(from);
        count = 0;
        do
        :: count < COUNT(from) ->
            assert(block != 0 && place[block] == WAITING);
            place[block] = FREE;
            assert(count + 1 < COUNT(from) || block == LAST(from));
            block = next[block];
            count++
        :: else -> break
        od;
        assert(used >= count);
        used = used - count;
        block = 0;
        count = 0
    }
}

/* The slab's run goes back. Its links and word belong to somebody else from now on. */
inline end_slab()
{
    atomic {
        assert(!ended && !listed && bearers == 0);
        for (block : 1 .. BLOCKS) {
            assert(place[block] == FREE || place[block] == WAITING)
        }
        block = 0;
        ended = true;
        owns[1] = false;
        owns[2] = false;
        owns[3] = false;
        word = 0
    }
}

/* Blocks of an orphan have come home: it may be adopted, or ends if they were the last. `after` is what the caller made
 * of the word. */
inline returned(after)
{
    seen = after;
    if
#ifdef NO_CHECK
    :: true -> skip
#else
    :: OWNER(seen) != 0 || TOKEN(seen) -> skip
    :: else ->
#ifndef NO_LOCK
        TAKE_LOCK;
        seen = word; /* under the lock nobody becomes or stops being an orphan */
#endif
        if
        :: ended || OWNER(seen) != 0 || TOKEN(seen) || COUNT(seen) == 0 -> DROP_LOCK
        :: else ->
            if
            :: COUNT(seen) == used ->
                listed = false;
#ifdef NO_HOLD
                DROP_LOCK;
                end_slab()
#else
                end_slab();
                DROP_LOCK
#endif
            :: else ->
#ifndef NO_LIST
                listed = true;
#endif
                DROP_LOCK
            fi
        fi
#endif
    fi
}

/* Bring the slab, whose token this thread bears, to its owner; an orphan's token ends. */
inline deliver()
{
    seen = word;
    done = false;
    do
    :: done -> break
    :: !done && OWNER(seen) != 0 ->
        assert(OWNER(seen) <= THREADS && !ended);
        atomic {
            assert(inbox[OWNER(seen)] != FULL);
            if
            :: inbox[OWNER(seen)] == EMPTY -> inbox[OWNER(seen)] = FULL; bearers--; done = true
            :: else
            fi
        }
        if
        :: done
        :: else -> seen = word
        fi
    :: !done && OWNER(seen) == 0 ->
        atomic {
            after = PACK(FIRST(seen), LAST(seen), COUNT(seen), 0, 0);
            swap_word(after);
            if
            :: done -> bearers--
            :: else
            fi
        }
        if
        :: done -> returned(after); done = true
        :: else
        fi
    od
}

/* Free `mine` into a slab that is not this thread's. */
inline publish()
{
    seen = word;
    done = false;
    do
    :: done -> break
    :: else ->
        next[mine] = FIRST(seen);
        before = seen;
        after = PACK(mine, (COUNT(seen) != 0 -> LAST(seen) : mine), COUNT(seen) + 1,
                     (TOKEN(seen) || OWNER(seen) != 0 -> 1 : 0), OWNER(seen));
        atomic {
            swap_word(after);
            if
            :: done ->
                place[mine] = WAITING;
#ifdef NO_TOKEN
                bearers = bearers + (OWNER(before) != 0 -> 1 : 0)
#else
                bearers = bearers + (OWNER(before) != 0 && !TOKEN(before) -> 1 : 0)
#endif
            :: else
            fi
        }
    od;
    mine = 0;
    if
    :: OWNER(before) == 0 && (COUNT(before) == 0 || COUNT(after) == used) -> returned(after)
    :: OWNER(before) == 0 && COUNT(before) != 0 && COUNT(after) != used -> skip
#ifdef NO_TOKEN
    :: OWNER(before) != 0 -> deliver()
#else
    :: OWNER(before) != 0 && !TOKEN(before) -> deliver()
    :: else
#endif
    fi
}

/* The owner may keep an empty slab, or give it back. */
inline keep_or_end()
{
    if
    :: owns[me] && used == 0 -> assert(COUNT(word) == 0 && !TOKEN(word)); end_slab()
    :: true
    fi
}

inline collect()
{
    atomic { taken = inbox[me]; inbox[me] = EMPTY; bearers = bearers + (taken == FULL -> 1 : 0) }
    if
    :: taken == FULL ->
        seen = word;
        done = false;
        do
        :: done -> break
        :: !done && OWNER(seen) != me -> deliver(); break
        :: !done && OWNER(seen) == me ->
            before = seen;
            atomic {
                swap_word(PACK(0, 0, 0, 0, me));
                if
                :: done -> assert(TOKEN(before) && COUNT(before) != 0); bearers--
                :: else
                fi
            }
            if
            :: done -> take_home(before); keep_or_end(); done = true
            :: else
            fi
        od
    :: else
    fi;
    taken = EMPTY
}

/* The one that is listed; or this one, whose block looks freed twice. */
inline adopt()
{
    TAKE_LOCK;
    if
    :: listed || (!ended && OWNER(word) == 0) ->
        seen = word;
        done = false;
        do
        :: done || OWNER(seen) != 0 -> break
        :: !done && OWNER(seen) == 0 ->
            before = seen;
            after = (TOKEN(seen) -> PACK(FIRST(seen), LAST(seen), COUNT(seen), 1, me) : PACK(0, 0, 0, 0, me));
            swap_word(after)
        od;
        if
        :: done ->
            owns[me] = true;
            if
            :: !TOKEN(before) && COUNT(before) != 0 -> take_home(before)
            :: else
            fi;
            listed = false
        :: else
        fi
    :: else
    fi;
    DROP_LOCK
}

/* The slab becomes an orphan that any thread may adopt. */
inline orphan()
{
    TAKE_LOCK;
    listed = used < BLOCKS;
    seen = word;
    done = false;
    do
    :: done -> break
    :: else -> swap_word(PACK(FIRST(seen), LAST(seen), COUNT(seen), TOKEN(seen), 0))
    od;
    owns[me] = false;
    DROP_LOCK
}

/* Into a slow path of one's own heap. The visitor's barrier makes these steps take effect in this order. */
inline enter()
{
    do
    :: busy[me] = true;
        if
        :: !visited[me] -> break
        :: else -> busy[me] = false; !visited[me]
        fi
    od
}

inline leave() { busy[me] = false }

/* Look after the owner's heap behind its back. */
inline visit()
{
    atomic { other = OWNER(word); other = (other == me || visited[other] -> 0 : other); visited[other] = other != 0 }
    if
#ifdef NO_BUSY
    :: other != 0 ->
#else
    :: other != 0 && !busy[other] ->
#endif
        atomic {
            taken = (inbox[other] == FULL -> FULL : EMPTY);
            inbox[other] = (taken == FULL -> EMPTY : inbox[other]);
            bearers = bearers + (taken == FULL -> 1 : 0)
        }
        if
        :: taken == FULL ->
            seen = word;
            if
#ifdef NO_COUNT
            :: OWNER(seen) == other && COUNT(seen) != 0 ->
#else
            :: OWNER(seen) == other && COUNT(seen) == used ->
#endif
                before = seen;
                atomic {
                    swap_word(PACK(0, 0, 0, 0, other));
                    assert(done && TOKEN(before));
                    bearers--
                }
                take_home(before);
                assert(used == 0);
                end_slab()
            :: else -> deliver()
            fi
        :: else
        fi;
        taken = EMPTY
    :: else
    fi;
    atomic { visited[other] = false; other = 0 }
}

inline end_thread()
{
    collect();
    if
    :: owns[me] && used == 0 -> assert(COUNT(word) == 0 && !TOKEN(word)); end_slab()
    :: owns[me] && used != 0 -> orphan()
    :: else
    fi;
#ifdef NO_CLOSE
    atomic { taken = inbox[me]; inbox[me] = EMPTY; bearers = bearers + (taken == FULL -> 1 : 0) }
#else
    atomic { taken = inbox[me]; inbox[me] = CLOSED; bearers = bearers + (taken == FULL -> 1 : 0) }
#endif
    if
#ifdef NO_RETURN
    :: taken == FULL -> bearers--
#else
    :: taken == FULL -> deliver()
#endif
    :: else
    fi;
    taken = EMPTY;
    alive = false
}

/* Some block in `state`, into `mine`; 0 when there is none. */
inline pick(state, becomes)
{
    atomic {
        if
        :: place[1] == state -> mine = 1
        :: place[2] == state -> mine = 2
        :: place[3] == state -> mine = 3
        :: else -> mine = 0
        fi;
        if
        :: mine != 0 -> place[mine] = becomes
        :: else
        fi
    }
}

/* Free one block of the program's. */
inline free_one()
{
    pick(HELD, SENDING);
    if
    :: mine != 0 && owns[me] ->
        /* The fast path asks nobody; the count is the last that it writes. */
#ifdef NO_ORDER
        used--;
        atomic { place[mine] = FREE; mine = 0 }
#else
        place[mine] = FREE;
        atomic { used--; mine = 0 }
#endif
        if
        :: used == 0 -> enter(); keep_or_end(); leave()
        :: else
        fi
    :: mine != 0 && !owns[me] -> publish()
    :: else
    fi
}

/* The owner hands a block out. */
inline allocate_one()
{
    atomic {
        pick(FREE, HELD);
        used = used + (mine != 0 -> 1 : 0);
        mine = 0
    }
}

proctype thread(byte me)
{
    bool alive = true, done;
    byte mine, block, count, other;
    short seen, before, after;
    mtype taken = EMPTY;

    do
    :: atomic { steps < STEPS && !ended -> steps++ }
        if
        :: free_one()
        :: owns[me] -> enter(); if :: owns[me] -> allocate_one() :: else fi; leave()
        :: alive -> enter(); collect(); leave()
        :: alive && !owns[me] -> enter(); adopt(); leave()
        :: alive -> enter(); end_thread(); leave()
        :: visit()
        :: !alive -> atomic { inbox[me] = EMPTY; alive = true } /* its heap serves a new thread */
        fi;
        atomic { seen = 0; before = 0; after = 0; done = false } /* states that differ in nothing are one */
    :: true -> break
    od;
    if
    :: alive -> enter(); end_thread(); leave()
    :: else
    fi;
    atomic { seen = 0; before = 0; after = 0; done = false }
    finished++
}

init
{
    bool done;
    byte me, mine, block, count;
    short seen, before, after;

    atomic {
        for (block : 1 .. BLOCKS) {
            place[block] = HELD
        }
        block = 0;
        owns[1] = true;
        run thread(1);
        run thread(2);
        run thread(3)
    }
    finished == THREADS;
    assert(bearers == 0);
    assert(ended || (OWNER(word) == 0 && !TOKEN(word) && listed == (used < BLOCKS || COUNT(word) != 0)));
    do
    :: !ended && (place[1] == HELD || place[2] == HELD || place[3] == HELD) -> free_one()
    :: else -> break
    od;
    assert(ended)
}
