# witness: */valgrind.bin */gcc*
# valgrind's memcheck puts its own malloc in the place of whichever one is loaded, Ashlar's too, so it reports the same
# errors and leaks in a preloaded program; with its replacement off, the program runs on Ashlar inside valgrind.

cat >work.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    char *lost = malloc(100);
    strcpy(lost, "lost");
    char *kept = realloc(calloc(10, 30), 1000);
    void *aligned = aligned_alloc(64, 640);
    printf("%s %d %d\n", lost, kept[5], (int)((size_t)aligned % 64));
    lost = NULL;
    free(aligned);
    if (argc > 1 && !strcmp(argv[1], "wrong")) {
        printf("after the end: %d\n", kept[1000] == 7);
        free(kept);
        printf("after free: %d\n", kept[0] == 7);
        return 0;
    }
    free(kept);
    return 4;
}
C
gcc -g -O0 -o work work.c
v() {
    set +e
    valgrind --log-file="$PWD/log.txt" --leak-check=full --show-leak-kinds=definite "$@"
    echo "status $?"
    set -e
    grep -oE 'Invalid (read|write) of size [0-9]+|(definitely lost|total heap usage):.*(allocated|blocks)$' log.txt ||
        echo 'nothing to report'
}
v ./work
v --error-exitcode=9 ./work wrong
v --tool=memcheck /bin/ls / | grep -E 'status|ERROR'

echo '== on Ashlar, inside valgrind'
q() { valgrind -q --log-file="$PWD/log.txt" "$@" || echo "status $?"; }
q --tool=none ./work
q --tool=cachegrind --cachegrind-out-file=cachegrind.txt ./work
q --tool=massif --massif-out-file=massif.txt ./work
q --soname-synonyms=somalloc=nouserintercepts ./work
q --tool=helgrind /usr/bin/sort --parallel=2 -n work.c | sed -n '$='
grep -c '^snapshot=' massif.txt | sed 's/^[1-9].*/massif: some snapshots/'
