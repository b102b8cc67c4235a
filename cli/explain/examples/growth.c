/* Does the frame of a callee lie below its caller's? */
#include <inttypes.h>
#include <stdio.h>

__attribute__((noinline)) static uintptr_t place_in_callee(void)
{
    volatile char local = 0;
    uintptr_t place = (uintptr_t)&local;

    return place + (uintptr_t)local;
}

int main(void)
{
    volatile char local = 0;
    uintptr_t here = (uintptr_t)&local;
    uintptr_t there = place_in_callee();

    printf("caller 0x%" PRIxPTR ", callee 0x%" PRIxPTR ": %s\n", here, there, there < here ? "down" : "up");
    return local;
}
