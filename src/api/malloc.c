/* malloc.c: the C functions (C17 7.22.3, C23 7.24.3) and the relatives that only differ in how they count.
 *
 * malloc and free are the two hottest functions of most programs: a straight line each, and one call in tail position
 * where it ends. `make paths` counts their instructions. */
#include "api/api.h"

/* ---- Allocating ---------------------------------------------------------------------------------------------------------------------- */

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static COLD void *allocate_slow(size_t bytes, size_t alignment, bool zeroed, const char *in)
{
    api_ready();
    void *const block = heap_alloc(NULL, &(struct heap_request){bytes, alignment, zeroed, in});

    return block != NULL ? block : no_memory();
}

/* A block of `class`, or perhaps of a larger one, by the short slow path; allocate_slow() where that gives none. */
static NOINLINE void *allocate_shortly(size_t bytes, class_id class, const char *in)
{
    void *const block = heap_take(class, BLOCK_ALIGN, in);

    return likely(block != NULL) ? block : allocate_slow(bytes, BLOCK_ALIGN, false, in);
}

/* A block of `class`, from the list or the magazine; NULL: the slow paths must try. */
ALWAYS_INLINE void *take_ready(class_id class)
{
    if (class.i >= CLASS_MEDIUM)
        return heap_pop_kept(class);
    void *const block = heap_pop(heap_mine(), class);

    return block != NULL ? block : heap_pop_last(heap_mine(), class);
}

NOINLINE void *api_malloc_slow(size_t bytes, const char *in)
{
    if (unlikely(bytes > CLASS_BYTES_MAX))
        return allocate_slow(bytes, BLOCK_ALIGN, false, in);
    const class_id class = class_of(bytes);
    void *const block = take_ready(class);

    return likely(block != NULL) ? block : allocate_shortly(bytes, class, in);
}

/* The same, at a multiple of `alignment`; NULL: allocate_slow() must try. */
static inline void *take_block(class_id class, size_t alignment, const char *in)
{
    void *const block = take_ready(class);

    return block != NULL ? block : heap_take(class, alignment, in);
}

/* As malloc, in the name of `in`. */
static inline void *malloc_as(size_t bytes, const char *in)
{
    void *const block = api_malloc_fast(bytes);

    return likely(block != NULL) ? block : api_malloc_slow(bytes, in);
}

EXPORT void *ashlar_malloc(size_t bytes) { return malloc_as(bytes, "malloc"); }

EXPORT void *ashlar_calloc(size_t count, size_t bytes)
{
    size_t total;

    if (unlikely(__builtin_mul_overflow(count, bytes, &total)))
        return no_memory();
    if (unlikely(total > CLASS_BYTES_MAX))
        return allocate_slow(total, BLOCK_ALIGN, true, "calloc");

    void *const block = take_block(class_of(total), BLOCK_ALIGN, "calloc");

    if (unlikely(block == NULL))
        return allocate_slow(total, BLOCK_ALIGN, true, "calloc");
    return __builtin_memset(block, 0, heap_small_bytes(block));
}

void *api_aligned(size_t alignment, size_t bytes, const char *in)
{
    if (bytes <= CLASS_BYTES_MAX && alignment <= CLASS_BYTES_MAX) {
        void *const block = take_block(class_of_aligned(bytes, alignment), alignment, in);
        if (likely(block != NULL))
            return block;
    }
    return allocate_slow(bytes, alignment, false, in);
}

/* ---- Resizing --------------------------------------------------------------------------------------------------------------------------- */

/* Grow a block of this thread's own, of `usable` bytes. */
static void *move_to_larger(void *address, size_t usable, size_t bytes, const char *in)
{
    void *const moved = malloc_as(bytes, in);

    if (likely(moved != NULL)) {
        __builtin_memcpy(moved, address, usable);
        api_free(address, in);
    }
    return moved;
}

static void *resize(void *address, size_t bytes, const char *in)
{
    if (address == NULL)
        return ashlar_malloc(bytes);
    const struct slab *const slab = heap_live_slab(address);

    if (likely(slab != NULL)) { /* what heap_realloc() does, where nothing is in the way */
        if (bytes <= slab->block_bytes && bytes >= slab->block_bytes / 2)
            return address;
        if (bytes > slab->block_bytes && heap_slab_is_mine(slab))
            return move_to_larger(address, slab->block_bytes, bytes, in);
    }
    if (bytes == 0) {
        api_free(address, in);
        return NULL;
    }
    api_ready();
    const struct heap_block block = heap_find(address, in);

    if (unlikely(block.kind == BLOCK_FOREIGN))
        return page_is_inside() ? no_memory() : foreign_realloc(address, bytes, in);
    void *const moved = heap_realloc(address, &block, bytes, in);

    return likely(moved != NULL) ? moved : no_memory();
}

EXPORT void *ashlar_realloc(void *address, size_t bytes) { return resize(address, bytes, "realloc"); }

EXPORT void *ashlar_reallocarray(void *address, size_t count, size_t bytes)
{
    size_t total;

    if (unlikely(__builtin_mul_overflow(count, bytes, &total)))
        return no_memory();
    return resize(address, total, "reallocarray");
}

/* ---- Freeing ------------------------------------------------------------------------------------------------------------------------------ */

static COLD void free_anything(void *address, const char *in)
{
    if (address == NULL)
        return;
    api_ready();
    if (!heap_free(address, in))
        foreign_free(address, in);
}

static NOINLINE void free_shortly(void *address, const char *in)
{
    if (!heap_free_shortly(address))
        free_anything(address, in);
}

NOINLINE void api_free_slow(void *address, const char *in)
{
    if (!heap_push_aside(address))
        free_shortly(address, in);
}

EXPORT void ashlar_free(void *address) { api_free(address, "free"); }

void api_check_alignment(const void *address, size_t alignment, const char *in)
{
    if (address == NULL || heap_is_reserve() || (is_power_of_two(alignment) && (uintptr_t)address % alignment == 0))
        return;
    api_ready();
    const struct heap_block block = heap_find(address, in);

    if (block.kind != BLOCK_FOREIGN && option_value(OPTION_sized) != SIZED_OFF)
        report_wrong_alignment(address, block.bytes, alignment, in);
}

void api_check_size(const void *address, size_t alignment, size_t bytes, bool is_exact, const char *in)
{
    api_ready();
    if (address == NULL || heap_is_reserve() || option_value(OPTION_sized) == SIZED_OFF)
        return;
    const struct heap_block block = heap_find(address, in);
    if (block.kind == BLOCK_FRESH && bytes <= block.bytes)
        return; /* of no class */
    const size_t at_least = alignment > BLOCK_ALIGN ? alignment : BLOCK_ALIGN;

    if (block.kind != BLOCK_FOREIGN && !heap_may_serve(&block, bytes, at_least) &&
        (is_exact || !heap_fits(&block, bytes)))
        report_wrong_size(address, block.bytes, bytes, in);
}

EXPORT void ashlar_free_sized(void *address, size_t bytes)
{
    api_check_size(address, BLOCK_ALIGN, bytes, false, "free_sized");
    api_free(address, "free_sized");
}

EXPORT void ashlar_free_aligned_sized(void *address, size_t alignment, size_t bytes)
{
    api_check_alignment(address, alignment, "free_aligned_sized");
    api_check_size(address, alignment, bytes, false, "free_aligned_sized");
    api_free(address, "free_aligned_sized");
}

STANDARD_NAME(malloc, ashlar_malloc)
STANDARD_NAME(calloc, ashlar_calloc)
STANDARD_NAME(realloc, ashlar_realloc)
STANDARD_NAME(reallocarray, ashlar_reallocarray)
STANDARD_NAME(free, ashlar_free)
STANDARD_NAME(cfree, ashlar_free)
STANDARD_NAME(free_sized, ashlar_free_sized)
STANDARD_NAME(free_aligned_sized, ashlar_free_aligned_sized)
STANDARD_NAME(__libc_malloc, ashlar_malloc)
STANDARD_NAME(__libc_calloc, ashlar_calloc)
STANDARD_NAME(__libc_realloc, ashlar_realloc)
STANDARD_NAME(__libc_free, ashlar_free)
