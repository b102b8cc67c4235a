# witness: */vim.*
# vim in batch mode: substitutions, sorting, macros, undo to the start, folds, a script with lists, and sixty buffers.

seq 1 6000 | awk '{ printf "%05d key%d value %d some text here\n", $1 * 7919 % 6007, $1 % 50, $1 * 31 % 997 }' >text.txt
cp text.txt original.txt

cat >work.vim <<'VIM'
set nocompatible nomore hidden undolevels=1000 noswapfile
edit text.txt
%s/value \(\d\+\)/\='<' . (submatch(1) * 2) . '>'/
sort n
g/key7 /move $
normal gg
let @q = 'A!' . "\<Esc>j"
normal 2000@q
write sorted.txt
normal ggVGJ
write joined.txt
undo 0
write undone.txt
let counts = {}
for line in getline(1, '$')
    let key = matchstr(line, 'key\d\+')
    let counts[key] = get(counts, key, 0) + 1
endfor
call writefile(map(sort(items(counts)), 'v:val[0] . " " . v:val[1]'), 'counts.txt')
let words = split(join(getline(1, '$'), ' '), ' ')
call writefile([len(words), len(uniq(sort(copy(words)))), strlen(join(reverse(words), '-'))], 'words.txt')
for i in range(1, 60)
    execute 'edit buffer' . i
    call setline(1, map(range(200), 'v:val * ' . i . ' . " line"'))
    normal ggyGGp
endfor
wall!
bufdo if &modified | write! | endif
call writefile([string(len(filter(range(1, bufnr('$')), 'buflisted(v:val)')))], 'buffers.txt')
qall!
VIM
vim -u NONE -i NONE -n -es -S work.vim </dev/null
cmp undone.txt original.txt && echo 'undo: back to the start'
head -n 2 sorted.txt
tail -n 1 sorted.txt
grep -c '!$' sorted.txt
wc -lc joined.txt buffer60 | sed -n '1,2p'
sha256sum sorted.txt joined.txt counts.txt | cut -c1-16
cat words.txt buffers.txt

echo '== diff and regular expressions'
vim -u NONE -i NONE -n -es -c 'set diff' -c 'vimgrep /key1\d .*9 some/ text.txt' \
    -c 'call writefile([len(getqflist())], "grep.txt")' -c 'qall!' text.txt </dev/null
cat grep.txt
