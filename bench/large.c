/* large.c: blocks of 5 to 25 MiB, 20 live at a time, all of their memory written.
 *
 * One operation frees a random one of the 20 and allocates another size. What it costs is page faults: an allocator
 * that unmaps each block faults all its pages in anew; one that keeps everything pays with memory. Image and matrix
 * programs do this.
 *
 * large [SCALE] */
#include "work.h"

enum { LIVE = 20, SIZE_LOW = 5 * MIB, SIZE_HIGH = 25 * MIB, USUAL_OPERATIONS = 110 };

struct slot {
    void *block;
    size_t bytes;
};

int main(int count, char **values)
{
    static struct slot slots[LIVE];
    const size_t operations = scaled(count, values, USUAL_OPERATIONS);
    struct random_stream stream = random_from(0);
    uint64_t checksum = 0;
    for (size_t i = 0; i < operations; i++) {
        const size_t place = i < LIVE ? i : random_below(&stream, LIVE);
        struct slot *slot = &slots[place];
        if (slot->block != NULL)
            check_fill(slot->block, slot->bytes, place);
        free(slot->block);
        slot->bytes = random_between(&stream, SIZE_LOW, SIZE_HIGH);
        slot->block = take(slot->bytes);
        fill(slot->block, slot->bytes, place);
        checksum = mix(checksum, slot->bytes);
    }
    for (size_t place = 0; place < LIVE; place++) {
        if (slots[place].block != NULL)
            check_fill(slots[place].block, slots[place].bytes, place);
        free(slots[place].block);
    }
    print_result("large", operations, checksum);
    return finish();
}
