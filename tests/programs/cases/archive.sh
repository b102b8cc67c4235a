# witness: */tar */gzip */bzip2 */xz */zstd
# tar with every compressor over the same tree; each archive gives back the same bytes.

mkdir -p tree/{a,b,c}/{text,data}
for i in $(seq 1 25); do
    seq "$i" $((i * 250)) |
        awk -v i="$i" '{ print "entry", $1, ($1 * 7919 + i) % 10007, "of list", i }' >"tree/a/text/$i.txt"
    seq "$i" 700 |
        awk '{ printf "%c%c%c", 33 + $1 * 7919 % 90, 33 + $1 * 31 % 90, 33 + $1 * 17 % 90 }' >"tree/b/data/$i.bin"
done
head -c 1500000 /dev/zero >tree/c/data/zero.bin
ln -s ../a/text/1.txt tree/c/link
chmod -R u=rwX,go=rX tree

tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --pax-option=delete=atime,delete=ctime -cf tree.tar tree
echo "tar: $(stat -c %s tree.tar) bytes, $(tar -tf tree.tar | wc -l) members, $(sha256sum <tree.tar | cut -c1-16)"

# round_trip NAME COMPRESS DECOMPRESS: compress the archive, show that it comes back.
round_trip() {
    $2 <tree.tar >"tree.$1"
    $3 <"tree.$1" | cmp - tree.tar
    echo "$1: back again"
    echo "$1 sum: $(sha256sum <"tree.$1" | cut -c1-16)" >>sums.txt
}
round_trip gz 'gzip -9n -c' 'gzip -dc'
round_trip bz2 'bzip2 -9c' 'bzip2 -dc'
round_trip xz 'xz -4c' 'xz -dc'
round_trip xz2 'xz -T2 --block-size=1MiB -2c' 'xz -T2 -dc'
round_trip zst 'zstd -q -c' 'zstd -q -dc'
round_trip zst19 'zstd -q -9 --long=24 -c' 'zstd -q --long=24 -dc'
round_trip zst2 'zstd -q -T2 -6 -c' 'zstd -q -dc'
sort sums.txt

XZ_OPT=-1 tar -C / -cJf all.tar.xz -C "$PWD" tree
mkdir back
tar -xJf all.tar.xz -C back
diff -r tree back/tree && echo 'extracted: same'
head -c 1000 tree.xz >broken.xz
xz -dc broken.xz >/dev/null 2>&1 || echo "broken xz: status $?"
mkdir samples
zstd -q --train tree/a/text/*.txt -o samples/dictionary --maxdict=20000 2>/dev/null
zstd -q -D samples/dictionary tree/a/text/7.txt -o 7.zst
zstd -q -D samples/dictionary -dc 7.zst | cmp - tree/a/text/7.txt && echo 'dictionary: back again'
