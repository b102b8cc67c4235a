#!/bin/sh
# format.sh [--check]: bring every C and C++ source into the form of .clang-format, or say which are not in it.
set -eu
cd "$(dirname "$0")/.."

mode=-i
if [ "${1-}" = --check ]; then
    mode='--dry-run --Werror'
fi
find include src cli tests bench dev \( -name '*.[ch]' -o -name '*.cc' \) -print0 | xargs -0 clang-format $mode
