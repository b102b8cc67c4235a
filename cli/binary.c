/* binary.c: what an ELF file says about itself, read with libelf.
 *
 * The file may be hostile: libelf checks offsets, we check that strings end and that the loops do. */
#include "binary.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_loader(Elf *elf, struct binary *binary)
{
    size_t count;

    if (elf_getphdrnum(elf, &count) != 0)
        return EBADMSG;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        const char *file;
        size_t bytes;

        if (gelf_getphdr(elf, (int)i, &header) == NULL)
            return EBADMSG;
        if (header.p_type != PT_INTERP)
            continue;
        file = elf_rawfile(elf, &bytes);
        if (file == NULL || header.p_offset > bytes || header.p_filesz > bytes - header.p_offset)
            return EBADMSG;
        binary->loaded = true;
        (void)snprintf(binary->loader, sizeof binary->loader, "%.*s",
                       (int)(header.p_filesz < sizeof binary->loader ? header.p_filesz : sizeof binary->loader),
                       file + header.p_offset);
    }
    return 0;
}

static bool is_definition(const GElf_Sym *symbol)
{
    const unsigned type = GELF_ST_TYPE(symbol->st_info);

    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC);
}

static bool is_visible(const GElf_Sym *symbol)
{
    const unsigned visibility = GELF_ST_VISIBILITY(symbol->st_other);

    return GELF_ST_BIND(symbol->st_info) != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

/* Look through one symbol table: what others bind to in .dynsym, what the file keeps to itself in .symtab. */
static void read_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, struct binary *binary)
{
    Elf_Data *const data = elf_getdata(section, NULL);
    const size_t count = data != NULL && header->sh_entsize > 0 ? header->sh_size / header->sh_entsize : 0;
    const bool dynamic = header->sh_type == SHT_DYNSYM;
    bool own_malloc = false;
    bool own_free = false;

    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        GElf_Sym symbol;
        const char *name;

        if (gelf_getsym(data, (int)i, &symbol) == NULL)
            return;
        if (!is_definition(&symbol) || (dynamic && !is_visible(&symbol)))
            continue;
        name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name == NULL)
            continue;
        own_malloc |= strcmp(name, "malloc") == 0;
        own_free |= strcmp(name, "free") == 0;
        binary->has_ashlar |= strcmp(name, "ashlar_version") == 0;
    }
    if (dynamic)
        binary->exports_malloc |= own_malloc;
    else
        binary->hides_malloc |= own_malloc && own_free;
}

static int read_elf(Elf *elf, struct binary *binary)
{
    GElf_Ehdr header;
    int error;

    if (elf_kind(elf) != ELF_K_ELF)
        return ENOEXEC;
    if (gelf_getehdr(elf, &header) == NULL)
        return EBADMSG;
    binary->class = header.e_ident[EI_CLASS];
    binary->data = header.e_ident[EI_DATA];
    binary->machine = header.e_machine;
    error = read_loader(elf, binary);
    for (Elf_Scn *section = elf_nextscn(elf, NULL); error == 0 && section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr section_header;

        if (gelf_getshdr(section, &section_header) == NULL)
            return EBADMSG;
        if (section_header.sh_type == SHT_DYNSYM || section_header.sh_type == SHT_SYMTAB)
            read_symbols(elf, section, &section_header, binary);
    }
    return error;
}

int binary_read(const char *path, struct binary *binary)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf;
    int error = ENOEXEC;

    memset(binary, 0, sizeof *binary);
    if (file < 0)
        return errno;
    (void)elf_version(EV_CURRENT);
    elf = elf_begin(file, ELF_C_READ_MMAP, NULL);
    if (elf != NULL) {
        error = read_elf(elf, binary);
        (void)elf_end(elf);
    }
    (void)close(file);
    return error;
}
