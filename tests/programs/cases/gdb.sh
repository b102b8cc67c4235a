# witness: */gdb */inferior
# gdb (preloaded) runs a preloaded program: breakpoint, backtrace, data, a call into malloc, a crash.

cat >inferior.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct node *left, *right;
    char name[16];
};

static struct node *plant(int depth) {
    struct node *node = calloc(1, sizeof *node);
    snprintf(node->name, sizeof node->name, "depth %d", depth);
    if (depth > 0) {
        node->left = plant(depth - 1);
        node->right = plant(depth - 1);
    }
    return node;
}

static int count(const struct node *node) { return node ? 1 + count(node->left) + count(node->right) : 0; }

int main(int argc, char **argv) {
    struct node *tree = plant(12);
    printf("%d nodes\n", count(tree));
    fflush(stdout);
    char *text = malloc(100);
    strcpy(text, "a word on the heap");
    puts(text);
    if (argc > 1) {
        fflush(stdout);
        *(volatile int *)8 = atoi(argv[1]);
    }
    free(text);
    return 3;
}
C
gcc -g -O0 -o inferior inferior.c

run_gdb() {
    gdb -nx -q -batch -iex 'set debuginfod enabled off' -iex 'set auto-load off' -ex 'set width 0' \
        -ex 'set style enabled off' -ex 'set disable-randomization off' "$@" 2>&1 |
        grep -vE '^(\[Thread debugging|Using host libthread_db|warning: |\[Inferior 1 \(process)' |
        sed -E 's/0x[0-9a-f]+/ADDRESS/g'
}

echo '== breakpoint, backtrace, data'
run_gdb -ex 'break plant if depth == 9' -ex run -ex backtrace -ex delete -ex continue -ex 'print $_exitcode' ./inferior

echo '== step over malloc, look at the block, call malloc'
run_gdb -ex 'break 29' -ex run -ex next -ex 'print text' -ex 'print *tree' -ex 'print count(tree->left)' \
    -ex 'print (char *)strcpy((char *)malloc(50), "from gdb")' -ex 'call (void)free($)' \
    -ex continue -ex 'print $_exitcode' ./inferior

echo '== crash'
run_gdb -ex 'run 5' -ex 'backtrace' -ex 'print *text@18' -ex kill ./inferior

echo '== types'
run_gdb -ex 'ptype struct node' -ex 'info line main' -ex 'info functions count' ./inferior |
    grep -vE 'starts at address'
