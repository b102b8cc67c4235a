#!/bin/sh
# limits.sh: programs that are started under a limit: address space, data, stack.
#
# Each row runs a program under the limit twice, bare and with the library preloaded, and wants the same output and exit
# status. Where the bare program cannot live under the limit, the row is skipped: the limit is not ours then.
#
# Environment: ASHLAR_BUILD (the build directory).
set -u
library=$(realpath "${ASHLAR_BUILD:?the build directory}/libashlar.so") || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

python_script='
import json, collections
table = collections.OrderedDict((str(i), [i, i * i, "x" * (i % 50)]) for i in range(5000))
text = json.dumps(table)
print(len(text), sum(v[1] for v in json.loads(text).values()))'

sqlite_script='
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
insert into t select i, hex(zeroblob(i % 90)) from n;
create index tb on t(b);
select count(*), sum(length(b)), max(b) > "0" from t;'

awk_script='BEGIN { for (i = 0; i < 20000; i++) t[i] = i "x"; for (i in t) n += length(t[i]); print n }'

# run NAME: the program; its output is what is compared.
run() {
    case $1 in
    echo) /bin/echo hello ;;
    python3) /usr/bin/python3 -c "$python_script" ;;
    sqlite3) sqlite3 :memory: "$sqlite_script" ;;
    awk) awk "$awk_script" ;;
    sort) seq 20000 | sort -r | tail -n 1 ;;
    esac
}

# limited RESOURCE KIB PROGRAM FILE [LIBRARY]: run the program in a shell of its own under the limit. Everything that
# this shell starts inherits the limit, and the library if one is given.
limited() (
    exec >"$4" 2>"$4.errors"
    # shellcheck disable=SC3045 # -d, -s and -v are common to dash and bash
    ulimit -S "$1" "$2" || exit 99
    if [ $# -gt 4 ]; then
        LD_PRELOAD=$5
        export LD_PRELOAD
    fi
    run "$3"
)

number=0
compare() {
    number=$((number + 1))
    row="$3 under ulimit $1 $2 KiB"
    if ! limited "$1" "$2" "$3" "$folder/bare" || [ ! -s "$folder/bare" ]; then
        echo "ok $number - $row # SKIP it fails without Ashlar too, or is not installed"
        return
    fi
    limited "$1" "$2" "$3" "$folder/ours" "$library"
    status=$?
    if [ "$status" = 0 ] && cmp -s "$folder/bare" "$folder/ours" &&
        cmp -s "$folder/bare.errors" "$folder/ours.errors"; then
        echo "ok $number - $row"
    else
        echo "not ok $number - $row"
        echo "#   status $status"
        sed 's/^/#   /' "$folder/ours" "$folder/ours.errors"
    fi
}

mib=1024
gib=$((1024 * 1024))
echo "TAP version 13"
echo "1..$((5 * 6 + 5 * 2 + 5))"
for program in echo python3 sqlite3 awk sort; do
    for size in $((64 * mib)) $((128 * mib)) $((200 * mib)) $((512 * mib)) $((2 * gib)) $((8 * gib)); do
        compare -v "$size" "$program"
    done
    for size in $((24 * mib)) $((64 * mib)); do
        compare -d "$size" "$program"
    done
    compare -s 64 "$program"
done
