#!/usr/bin/perl
# test.pl BUILD [SUITE | SUITE/NAME]...: run the tests that a build registered, and count them.
#
#   BUILD/tests/manifest --> one process per line --> TAP --> counts
#
# Every test case counts, whichever program it stands in. A program fails by itself, once, when what it prints is no
# sound account: it dies, hangs, breaks its plan, or exits non-zero although every case passed. A case that is marked
# TODO counts by what happened. The last line is alone and says: `N passed, N failed, N skipped`.
# exit status: 0 when something passed and nothing failed, 1 otherwise, 2 when there is nothing to run.
#
# environment: TEST_SEED (passed on), TEST_JOBS (programs at a time, default: one for each processor),
#              TEST_HANG (seconds after which a program is ended, default 600).
use strict;
use warnings;
use File::Path qw(make_path);
use TAP::Harness;

# A program that bails out fails; the others still run.
package Ashlar::Harness { our @ISA = 'TAP::Harness'; sub _bailout { } }

my $build = shift @ARGV or stop("usage: test.pl BUILD [SUITE | SUITE/NAME]...");
my $hang = $ENV{TEST_HANG} || 600;
my $jobs = $ENV{TEST_JOBS} || qx(nproc) + 0;

my %commands = read_manifest("$build/tests/manifest");
my @names = chosen(\%commands, @ARGV);
stop("no such test: @ARGV") unless @names;

my %transcripts;    # name => what the program printed
my %gave_up;        # name => whether it bailed out
my %reasons;        # reason => how many cases were skipped for it
my $harness = Ashlar::Harness->new({
    exec => sub { start_command($_[1]) },
    jobs => $jobs,
    color => -t STDOUT,
    timer => 1,
});
$harness->callback(made_parser => sub {
    my ($parser, $job) = @_;
    my $name = $job->[1];
    $parser->callback(ALL => sub { $transcripts{$name} .= shift->as_string . "\n" });
    $parser->callback(bailout => sub { $gave_up{$name} = 1 });
    $parser->callback(test => sub { my ($case) = @_; $reasons{ $case->explanation }++ if $case->has_skip });
});

# Programs run in process groups of their own, which an interrupt from the terminal does not reach: hand it on.
for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { kill TERM => running(); exit 130 };
}

$ENV{ASHLAR_BUILD} = qx(realpath '$build') =~ s/\n//r;
make_path("$build/tests/errors");
my $aggregate = $harness->runtests(map { [$_, $_] } @names);

my ($passed, $failed, $skipped) = (0, 0, 0);
for my $name (@names) {
    my ($parser) = $aggregate->parsers($name);
    my ($good, $bad, $left_out) = count($name, $parser);
    explain($name, $parser) if $bad;
    $passed += $good;
    $failed += $bad;
    $skipped += $left_out;
}
print "skipped $reasons{$_}: $_\n" for sort keys %reasons;
print "$passed passed, $failed failed, $skipped skipped\n";
exit($failed == 0 && $passed > 0 ? 0 : 1);

# Nothing can be run.
sub stop {
    print STDERR "test.pl: @_\n";
    exit 2;
}

# name => [command, argument...]
sub read_manifest {
    my ($path) = @_;
    open my $file, '<', $path or stop("$path: $! (build the tests first)");
    chomp(my @lines = <$file>);
    return map { my ($name, @command) = split /\t/; $name => \@command } @lines;
}

# The names that begin with one of the words, or all; suites in the order in which a fault is best understood.
sub chosen {
    my ($commands, @words) = @_;
    my @order = qw(house model unit mem stack conformance abi security oom stress cli programs);
    my %rank = map { $order[$_] => $_ } 0 .. $#order;
    my $rank_of = sub { $rank{ $_[0] =~ s{/.*}{}r } // @order };
    my @sorted = sort { $rank_of->($a) <=> $rank_of->($b) or $a cmp $b } keys %$commands;
    return @sorted unless @words;
    my $wanted = join '|', map { quotemeta } @words;
    return grep { m{^(?:$wanted)(?:$|[/.])} } @sorted;
}

# The command of a test with an end to its patience and its descriptor 2 in a file, so that TAP stays clean.
sub start_command {
    my ($name) = @_;
    return ['sh', '-c', 'errors=$1; shift; exec timeout --kill-after=10 "$@" 2>"$errors"', 'sh',
        errors_file($name), $hang, @{ $commands{$name} }];
}

# The `timeout` of each program that runs now; a signal to it is a signal to the program and all that it started.
sub running {
    open my $children, '<', "/proc/$$/task/$$/children" or return;
    return split ' ', <$children> // '';
}

sub errors_file {
    my ($name) = @_;
    return "$build/tests/errors/" . $name =~ s{/}{-}gr;
}

# (passed, failed, skipped) cases of one program.
sub count {
    my ($name, $parser) = @_;
    return (0, 0, 1) if defined $parser->skip_all && !$parser->wait;
    my $skipped = $parser->skipped;
    my $bad = $parser->actual_failed;
    my $good = $parser->actual_passed - $skipped;
    my $unsound = $parser->parse_errors || $parser->wait && !$bad || !$parser->tests_run || $gave_up{$name};
    return ($good, $bad + ($unsound ? 1 : 0), $skipped);
}

# All that a failed program said.
sub explain {
    my ($name, $parser) = @_;
    my $errors = errors_file($name);
    print "\n---- $name: @{$commands{$name}}\n", $transcripts{$name} // '';
    print "---- it said on descriptor 2:\n", qx(tail -n 100 '$errors') if -s $errors;
    print "---- ", join('; ', $parser->parse_errors), "\n" if $parser->parse_errors;
    print "---- exit status ", $parser->exit, ", wait status ", $parser->wait, "\n" if $parser->wait;
    print "\n";
}
