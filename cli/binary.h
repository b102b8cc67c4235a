/* binary.h: what an ELF file says about itself. */
#ifndef ASHLAR_CLI_BINARY_H
#define ASHLAR_CLI_BINARY_H

#include <stdbool.h>

struct binary {
    int class;           /* ELFCLASS32, ELFCLASS64 */
    int data;            /* ELFDATA2LSB, ELFDATA2MSB */
    int machine;         /* EM_X86_64, ... */
    bool loaded;         /* asks for a dynamic loader: only then does LD_PRELOAD mean anything */
    char loader[256];    /* path of that loader */
    bool exports_malloc; /* defines malloc for the whole process */
    bool has_ashlar;     /* Ashlar is in it: it defines ashlar_version, for others or for itself */
    bool hides_malloc;   /* defines malloc and free for itself; known only while its symbol table is there */
};

/* Read `path`. returns: 0; ENOEXEC when it is no ELF file; EBADMSG when it is a damaged one; or why it could not be
 * read. */
int binary_read(const char *path, struct binary *binary);

#endif
