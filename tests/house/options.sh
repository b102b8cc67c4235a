#!/bin/bash
# docs/options.md and the man page are made from the options table, say what the library does, and are found when stale.
. "$(dirname "$0")/../lib/tap.sh"
root=$(realpath "$(dirname "$0")/../..")
maker=$root/dev/options.py
house=$folder/house

# A tree with the real table and the pages made from it.
build_house() {
    rm -rf "$house"
    mkdir -p "$house/src/base" "$house/docs"
    cp "$root/src/base/options.def" "$house/src/base" && "$maker" --source "$house"
}

# After `sed SCRIPT FILE`, the check ends with status STATUS and its output holds TEXT.
after_edit() {
    local script=$1 file=$2 status=$3 text=$4 output real=0
    build_house && sed -i "$script" "$house/$file" || return
    output=$("$maker" --check --source "$house" 2>&1) || real=$?
    echo "$output"
    [ $real -eq "$status" ] && grep -qF -- "$text" <<<"$output"
}

fresh_pages_pass() {
    build_house && "$maker" --check --source "$house"
}

missing_page_is_stale() {
    build_house && rm "$house/docs/options.md" && ! "$maker" --check --source "$house"
}

# The indented examples of the guide: each command, run, prints the lines below it.
examples() {
    sed -n 's/^    //p' "$root/docs/options.md" | sed -n '/^\$ /,$p'
}

examples_are_true() {
    diff <(examples) <(cd "$folder" && ln -sfn "$ASHLAR_BUILD" build && examples | sed -n 's/^\$ //p' |
        while IFS= read -r command; do
            echo "\$ $command"
            bash -c "$command" 2>&1
        done) && [ "$(examples | grep -c '^\$ ')" -ge 2 ]
}

# Every option that the library knows stands in the table of page $1 with its default, and no other.
defaults_are_those_of_the_library() {
    diff <(sed -n 's/^| `\([a-z_]*\)` | `\([^`]*\)` |.*/\1:\2/p' "$root/$1") \
        <(ASHLAR_CONF=confirm:on LD_PRELOAD=$ASHLAR_BUILD/libashlar.so /bin/true 2>&1 |
            sed -n 's/^ashlar: confirm: \(.*\) (.*)$/\1/p' | sed 's/^confirm:on$/confirm:off/')
}

plan 10
check "the pages are fresh" "$maker" --check
check "the guide has the defaults of the library" defaults_are_those_of_the_library docs/options.md
check "so has the README" defaults_are_those_of_the_library README.md
check "the examples are true" examples_are_true
check "fresh pages pass" fresh_pages_pass
check "a missing page is stale" missing_page_is_stale
check "a changed default is stale" after_edit 's/"500ms"/"700ms"/' src/base/options.def 1 "docs/options.md: "
check "a page edited by hand is stale" after_edit 's/idle/lazy/' docs/man/ashlar-options.7 1 "docs/man/ashlar-options.7: "
check "a row without a field is no table" after_edit 's/"500ms", "", /"500ms", /' src/base/options.def 2 "5 fields instead of 6"
check "a default that is no choice is refused" after_edit 's/"abort", "abort warn/"abrt", "abort warn/' src/base/options.def \
    2 "none of its choices"
