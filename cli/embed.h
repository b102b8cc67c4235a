/* embed.h: files that become texts of the command when it is built.
 *
 * EMBED(name, "cli/lab/programs/static.c") makes `name` a string: the file, and a NUL behind it. cmake/command.cmake
 * defines EMBED_ROOT, the root of the sources, and says which files an object depends on.
 * source: GNU as manual, ".incbin". */
#ifndef ASHLAR_CLI_EMBED_H
#define ASHLAR_CLI_EMBED_H

#define EMBED(name, file)                                                                                              \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" EMBED_ROOT "/" file "\"\n.byte 0\n.popsection\n");          \
    __attribute__((visibility("hidden"))) extern const char name[]

#endif
