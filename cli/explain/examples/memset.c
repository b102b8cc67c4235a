/* The low 8 bits, and a secret that is really gone. */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <string.h>

int main(void)
{
    unsigned char bytes[4];
    char secret[32] = "correct horse battery staple";
    int number;

    memset(bytes, 0x1234, sizeof bytes);
    memset(&number, 1, sizeof number);
    printf("stored 0x%02x; the int is 0x%08x\n", bytes[0], (unsigned)number);
    printf("the secret has %zu letters\n", strlen(secret));
    explicit_bzero(secret, sizeof secret);
    return bytes[3] == 0x34 && number == 0x01010101 ? 0 : 1;
}
