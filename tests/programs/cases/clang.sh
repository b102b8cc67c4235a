# witness: */clang
# clang compiles Ashlar itself and a generated program; both runs must give the same bytes.

. "$PROGRAMS/compile.inc"
copy_source
flags="-std=gnu17 -D_GNU_SOURCE -w -fPIC -fexceptions -ftls-model=initial-exec -Iinclude -Isrc"

echo '== Ashlar'
for level in '-O0 -g' '-O2 -g' '-O3 -march=x86-64-v3'; do
    clang $flags $level -c -o "one$level.o" src/one.c
    show_object "one$level.o"
done
clang $flags -O2 -flto -c -o one.bc src/one.c
show_object one.bc
clang $flags -O1 -S -emit-llvm -o one.ll src/one.c
show_object one.ll

echo '== generated C'
write_many_functions 400 >many.c
clang -O2 -g -c many.c
show_object many.o
write_main 400 >main.c
clang -O2 -Wl,--build-id=none -o many main.c many.o
./many
echo 'int main(void) { return undeclared; }' >wrong.c
clang -c wrong.c 2>error.txt || echo "status $?"
sed -n 1p error.txt
