#!/bin/sh
# usage.sh: what the command says about itself, and to a command line that makes no sense.
ashlar=${ASHLAR_BUILD:?}/ashlar
count=0
failed=0
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
export ARGP_HELP_FMT=

# story NAME STATUS TEXT WORDS...: the words give that status, and the text is in what they print.
story() {
    name=$1 expected=$2 text=$3
    shift 3
    "$ashlar" "$@" >"$directory/out" 2>"$directory/err" </dev/null
    status=$?
    count=$((count + 1))
    if [ "$status" -eq "$expected" ] && cat "$directory/out" "$directory/err" | grep -qF -- "$text"; then
        echo "ok $count - $name"
    else
        failed=1
        sed 's/^/# /' "$directory/out" "$directory/err"
        echo "# status $status, expected $expected and: $text"
        echo "not ok $count - $name"
    fi
}

echo 1..37
story help 0 'Usage: ashlar [OPTION...] SUBCOMMAND' --help
story help_subcommand 0 'Usage: ashlar run [OPTION...] [--] COMMAND' help run
story help_without_subcommand 0 'Subcommands:' help
story run_help 0 '--max-peak=SIZE' run --help
story version 0 'ashlar ' --version
story run_version 0 'ashlar ' run --version
story nothing 2 'no subcommand'
story unknown_subcommand 2 "unknown subcommand 'rnu', did you mean 'run'?" rnu -- true
story far_subcommand 2 "unknown subcommand 'frobnicate' (see" frobnicate
story help_unknown_subcommand 2 "did you mean 'run'?" help runn
story unknown_option 2 "unknown option '--jsno', did you mean '--json'?" run --jsno -- true
story unknown_option_with_value 2 "did you mean '--max-peak'?" run --max-paek=1M -- true
story unknown_short_option 2 "unknown option '-z'" run -z -- true
story unknown_letter_behind_known 2 "unknown option '-qz'" run -qz -- true
story unknown_option_of_main 2 "did you mean '--version'?" --versoin
story ambiguous_option 2 "ambiguous option '--ver'" run --ver -- true
story option_without_value 2 "a value is needed by option '--max-peak'" run --max-peak
story short_option_without_value 2 "a value is needed by option '-o'" run -o
story option_with_needless_value 2 "no value is taken by option '--json=yes'" run --json=yes -- true
story no_command 2 'no command to run' run --quiet
story bad_size 2 "--max-peak is a size such as 512K, 10M or 2G, not '10X'" run --max-peak=10X -- true
story size_too_large 2 "not '99999999999T'" run --max-peak=99999999999T -- true
story bad_count 2 "--max-allocs is a whole number, not '1M'" run --max-allocs=1M -- true
story bad_color 2 "--color is always, never or auto, not 'red'" run --color=red -- true
story lab_help 0 '--max-touch=SIZE' lab --help
story lab_list 0 'growth       Which way they grow' lab --list
story lab_list_chinese 0 '增长方向' lab --list --lang zh
story lab_unknown_card 2 "no card is called 'grwoth', did you mean 'growth'? (see --list)" lab --only malloc,grwoth
story lab_empty_card 2 "no card is called ''" lab --only malloc,
story lab_bad_seed 2 "--seed is a whole number, not '1x'" lab --seed 1x
story lab_bad_size 2 "--max-touch is a size such as 512K, 10M or 2G, not '0'" lab --max-touch 0
story lab_bad_language 2 "--lang is en or zh, not 'fr'" lab --lang fr
story lab_word_too_many 2 "'growth' is one word too many" lab growth
story lab_experiment_is_internal 2 "this subcommand is for 'ashlar lab' alone" lab-experiment growth
story explain_help 0 'Usage: ashlar explain [OPTION...] [TOPIC]' explain --help
story explain_two_topics 2 "one topic at a time, not 'calloc' as well" explain malloc calloc
story explain_bad_language 2 "--lang is en or zh, not 'fr'" explain --lang=fr malloc
exit $failed
