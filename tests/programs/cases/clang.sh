# witness: */clang
# clang compiles Ashlar itself and a generated program; both runs must give the same bytes.

. "$PROGRAMS/compile.inc"
flags="-std=gnu17 -fPIC -fexceptions -ftls-model=initial-exec -I$SOURCE/include -I$SOURCE/src"

echo '== Ashlar'
# shellcheck disable=SC2086
for level in '-O0 -g3' '-O2 -g' '-O3 -march=x86-64-v3' '-Os'; do
    clang $flags $level -c -o "one$level.o" "$SOURCE/src/one.c"
    show_object "one$level.o"
done
# shellcheck disable=SC2086
clang $flags -O2 -flto -c -o one.bc "$SOURCE/src/one.c"
show_object one.bc
# shellcheck disable=SC2086
clang $flags -O1 -S -emit-llvm -o one.ll "$SOURCE/src/one.c"
show_object one.ll

echo '== generated C'
write_many_functions 700 >many.c
clang -O2 -g -c many.c
show_object many.o
write_main >main.c
clang -O2 -Wl,--build-id=none -o many main.c many.o
./many
echo 'int main(void) { return undeclared; }' >wrong.c
clang -c wrong.c 2>error.txt || echo "status $?"
sed -n 1p error.txt
