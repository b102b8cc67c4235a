#!/bin/sh
# setup.sh GROUP...: install what these groups of work need and what is missing, from Debian's packages.
#
# Asks dpkg what is there; does nothing, without network, when nothing is missing. Otherwise says in one line what it
# installs and for what, and does it as root or through sudo.
# exit status: 0 when everything is there now.
set -eu
cd "$(dirname "$0")/.."

# The packages of one group of work.
packages_of() {
    case $1 in
    build) echo gcc g++ libc6-dev binutils cmake ninja-build pkg-config libjansson-dev libelf-dev ;;
    demo) echo python3 ;;
    test) echo perl python3 python3-jsonschema strace procps spin ;;
    fast-programs) tests/programs/run.py --fast --packages ;;
    programs) tests/programs/run.py --packages ;;
    tidy) echo clang clang-format clang-tidy ;;
    classes) echo gcc g++ clang sqlite3 z3 python3 perl lua5.4 ruby php-cli nodejs redis-server redis-tools git ghostscript gdb ;;
    clang) echo clang libclang-rt-dev ;;
    aarch64) echo gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static ;;
    bench) echo python3 python3-matplotlib libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4 libtbbmalloc2 libclang-rt-dev \
        gcc g++ libc6-dev sqlite3 lua5.4 perl ruby nodejs z3 ghostscript git rocksdb-tools xz-utils \
        redis-server redis-tools memcached postgresql-15 postgresql-client-15 ;;
    bench-mem) echo python3 gcc libc6-dev cmake ;;
    *) echo "setup.sh: unknown group $1" >&2 && return 1 ;;
    esac
}

# Those of the given packages that are not installed, one a line.
missing_of() {
    dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk -v wanted="$*" '
            $2 == "installed" { installed[$1] = 1 }
            END { count = split(wanted, names, " ")
                  for (i = 1; i <= count; i++) if (!(names[i] in installed)) print names[i] }'
}

# Say and do it: install the packages $2... that group $1 misses.
install_packages() {
    group=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        as_root=env
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root='sudo env'
    else
        echo "setup.sh: packages are missing for $group, and installing them needs root or sudo. Ask someone to run:" >&2
        echo "    apt-get install" "$@" >&2
        return 1
    fi
    echo "Installing from Debian, for $group:" "$@"
    apt="$as_root DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -q -y
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
    [ -n "${is_updated-}" ] || $apt update >/dev/null
    is_updated=yes
    $apt install --no-install-recommends "$@" | sed -n 's/^Setting up \([^ ]*\).*/    \1/p'
}

if ! command -v dpkg-query >/dev/null; then
    echo "setup.sh: no Debian here, nothing installed; the packages are named in dev/setup.sh" >&2
    exit 0
fi
for group in "$@"; do
    packages=$(packages_of "$group")
    missing=$(missing_of $packages)
    if [ -n "$missing" ]; then
        install_packages "$group" $missing
        still_missing=$(missing_of $missing)
        [ -z "$still_missing" ] || { echo "setup.sh: not installed:" $still_missing >&2 && exit 1; }
    fi
done
