# tap.sh: TAP for tests in bash. Source it.
#
#   plan 2
#   check "the library needs libc only" needs_libc_only      (a command; what it prints is shown when it fails)
#   skip "..." "this kernel cannot"
#
# $folder is a temporary folder for the script. A script that ends before its plan is fulfilled breaks the plan, which
# the runner counts as a failure; so does one that never says plan.
set -u -o pipefail
export ASHLAR_BUILD=${ASHLAR_BUILD:-$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../build")}

tap_number=0
tap_status=0

plan() {
    echo "1..$1"
}

check() {
    local name=$1 output
    shift
    tap_number=$((tap_number + 1))
    if output=$("$@" 2>&1); then
        echo "ok $tap_number - $name"
    else
        echo "not ok $tap_number - $name"
        tap_status=1
    fi
    [ -z "$output" ] || sed 's/^/# /' <<<"$output"
}

skip() {
    tap_number=$((tap_number + 1))
    echo "ok $tap_number - $1 # SKIP $2"
}

# A folder for the script's own files, removed at its end.
folder=$(mktemp -d)
trap 'status=$?; rm -rf "$folder"; exit $((status > tap_status ? status : tap_status))' EXIT

# Print "MEASURED NAME, at most LIMIT" and say whether that holds.
at_most() {
    local name=$1 limit=$2 measured=$3
    echo "$measured $name, at most $limit"
    [ "$measured" -le "$limit" ]
}
