# witness: */cc1 */cc1plus *-as */collect2 *-ld.* */lto1 */lto-wrapper
# gcc and g++ compile Ashlar itself and generated programs; both runs must give the same bytes.

. "$PROGRAMS/compile.inc"
copy_source
flags="-std=gnu17 -D_GNU_SOURCE -w -fPIC -fexceptions -ftls-model=initial-exec -Iinclude -Isrc"

echo '== Ashlar'
for level in '-O0 -g3' '-O2 -g' '-O3'; do
    gcc $flags $level -frandom-seed=1 -c -o "one$level.o" src/one.c
    show_object "one$level.o"
done
gcc $flags -O2 -flto -frandom-seed=1 -c -o one-lto.o src/one.c
gcc -shared -flto -O2 -frandom-seed=1 -Wl,--build-id=none -fPIC -nostartfiles -o one-lto.so one-lto.o
show_object one-lto.so

echo '== generated C'
write_many_functions 400 >many.c
gcc -O2 -g -frandom-seed=1 -c many.c
show_object many.o
gcc -E -dD -P many.c | wc -l | tr -d ' '

echo '== C++'
write_templates >templates.cc
g++ -std=c++20 -O1 -g -frandom-seed=1 -c templates.cc
show_object templates.o
g++ -pthread -Wl,--build-id=none -o templates templates.o
./templates
echo 'int main() { return undeclared; }' >wrong.cc
g++ -c wrong.cc 2>error.txt || echo "status $?"
sed -n '1,2p' error.txt
