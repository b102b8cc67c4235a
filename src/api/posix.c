/* posix.c: blocks with an alignment: POSIX, C11 and the older GNU and BSD ways to ask for one. */
#include "api/api.h"

#define ALIGNMENT_MAX ((size_t)1 << 63)

static void *fail(int error)
{
    errno = error;
    return NULL;
}

static size_t page_bytes(void)
{
    api_ready();
    return page_ground.page_bytes;
}

/* `alignment` is a power of two. */
static void *aligned(size_t alignment, size_t bytes, const char *in)
{
    if (alignment == ALIGNMENT_MAX)
        return fail(ENOMEM);
    return api_aligned(alignment > BLOCK_ALIGN ? alignment : BLOCK_ALIGN, bytes, in);
}

EXPORT int ashlar_posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    void *const made = aligned(alignment, bytes, "posix_memalign");

    if (made == NULL)
        return ENOMEM;
    *block = made;
    return 0;
}

EXPORT void *ashlar_aligned_alloc(size_t alignment, size_t bytes)
{
    return is_power_of_two(alignment) ? aligned(alignment, bytes, "aligned_alloc") : fail(EINVAL);
}

EXPORT void *ashlar_memalign(size_t alignment, size_t bytes)
{
    return alignment <= ALIGNMENT_MAX ? aligned(power_of_two_from(alignment), bytes, "memalign") : fail(EINVAL);
}

EXPORT void *ashlar_valloc(size_t bytes) { return aligned(page_bytes(), bytes, "valloc"); }

EXPORT void *ashlar_pvalloc(size_t bytes)
{
    const size_t page = page_bytes();

    if (bytes > REQUEST_BYTES_MAX - page)
        return fail(ENOMEM);
    return aligned(page, bytes > 0 ? round_up(bytes, page) : page, "pvalloc");
}

STANDARD_NAME(posix_memalign, ashlar_posix_memalign)
STANDARD_NAME(aligned_alloc, ashlar_aligned_alloc)
STANDARD_NAME(memalign, ashlar_memalign)
STANDARD_NAME(valloc, ashlar_valloc)
STANDARD_NAME(pvalloc, ashlar_pvalloc)
STANDARD_NAME(__posix_memalign, ashlar_posix_memalign)
STANDARD_NAME(__libc_memalign, ashlar_memalign)
STANDARD_NAME(__libc_valloc, ashlar_valloc)
STANDARD_NAME(__libc_pvalloc, ashlar_pvalloc)
