# witness: */bash */dash */sort */mawk */sed */grep */find */xargs
# A shell session in bash and in dash: every command is preloaded, a few hundred short processes and long pipelines.

cat >session.sh <<'SESSION'
set -eu
mkdir -p tree
i=0
while [ "$i" -lt 60 ]; do
    directory=tree/$((i % 7))/$((i % 4))
    mkdir -p "$directory"
    seq "$i" 3 $((i * 40 + 90)) |
        awk -v seed="$i" '{ printf "%d word%d line of file %d\n", ($1 * 7919 + seed) % 10007, $1 % 97, seed }' \
            >"$directory/file$i.txt"
    i=$((i + 1))
done

echo "files: $(find tree -type f -name '*.txt' | wc -l)"
echo "words:"
find tree -type f -print0 | xargs -0 cat | sed -e 's/line of file/in/' -e 's/^\([0-9]*\) \(word[0-9]*\)/\2 \1/' |
    sort -k1,1 -k2,2n |
    awk '{ count[$1]++; sum[$1] += $2 } END { for (word in count) print count[word], word, sum[word] }' |
    sort -k1,1nr -k2,2 | sed -n '1,5p'
echo "matches: $(grep -rE 'word(1|2|3)[0-9]* .* (1[0-9]|5[05])$' tree | sort | tee matches.txt | wc -l)"
echo "longest: $(wc -l tree/*/*/*.txt | sort -n | tail -n 2 | sed -n 1p | tr -s ' ')"
echo "sum: $(find tree -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)"
cut -d' ' -f2 matches.txt | sort -u >words.txt
echo "joined: $(sort -k2,2 matches.txt | join -1 2 - words.txt | uniq -w 6 | wc -l)"
cp -r tree copy && diff -r tree copy && echo "copy: same"
find copy -name '*5.txt' -delete
diff -rq tree copy | sort | sed 's/^/missing: /' | sed -n '1,3p'
seq 1 200000 | shuf --random-source=/dev/zero | sort --parallel=2 -S 4M -n | md5sum | cut -c1-16
printf '%s\n' one two three | while read -r word; do
    printf '%s=%s ' "$word" "$(printf %s "$word" | wc -c | tr -d ' ')"
done
echo
(exit 7) || echo "subshell status: $?"
ls nowhere 2>/dev/null || echo "ls status: $?"
rm -rf tree copy matches.txt words.txt
SESSION

for shell in bash dash; do
    echo "== $shell"
    $shell session.sh
done

echo "== bash alone"
declare -A count=()
for i in {1..20000}; do
    key=k$((i * 7919 % 499))
    count[$key]=$((${count[$key]:-0} + i))
done
for key in "${!count[@]}"; do echo "$key ${count[$key]}"; done | sort | sha256sum | cut -c1-16
text=$(printf 'x%.0s' {1..20000})
echo "${#text} $(wc -c <<<"$text") ${text//x/yz}" | cut -c1-20
