/* Bytes of a message into an object: without a cast that alignment and aliasing forbid. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const unsigned char message[] = {0xff, 0x78, 0x56, 0x34, 0x12};
    uint32_t number;

    memcpy(&number, message + 1, sizeof number); /* message + 1 is aligned for no integer */
    printf("0x%08" PRIx32 " on this machine\n", number);
    return number == 0x12345678 || number == 0x78563412 ? 0 : 1;
}
