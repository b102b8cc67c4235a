# witness: */perl
# Perl: regular expressions, hashes, sorting, closures, big integers, Storable, Digest, JSON and fork.

cat >work.pl <<'PERL'
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use List::Util qw(sum max shuffle);
use Math::BigInt;
use Storable qw(dclone freeze thaw);

my $state = 12345;
sub number { $state = ($state * 1103515245 + 12345) % 2147483648; return int($state / 65536) % shift }

# A text, its words and an index of them.
my $text = join ' ', map { join '', map { chr(97 + number(26)) } 1 .. 2 + number(7) } 1 .. 60_000;
my %places;
my $place = 0;
push @{$places{$1}}, $place++ while $text =~ /(\w+)/g;
my @frequent = sort { @{$places{$b}} <=> @{$places{$a}} || $a cmp $b } keys %places;
print "words: $place, different: ", scalar(keys %places), "\n";
print "frequent: ", join(' ', map { "$_:" . scalar @{$places{$_}} } @frequent[0 .. 3]), "\n";
(my $changed = $text) =~ s/([aeiou])(\w)/\U$2\E$1$1/g;
print "changed: ", length($changed), ' ', substr(sha256_hex($changed), 0, 16), "\n";

# Nested data, copied in three ways.
my $data = {map { ("key$_" => {list => [map { number(1000) } 1 .. 20], name => "n" x number(40)}) } 1 .. 3000};
my $coder = JSON::PP->new->canonical;
my $json = $coder->encode($data);
print "json: ", length($json), ' ', substr(sha256_hex($json), 0, 16), "\n";
print "storable: ", ($coder->encode(thaw(freeze($data))) eq $json ? 'same' : 'different'), "\n";
print "clone: ", ($coder->encode(dclone($data)) eq $json ? 'same' : 'different'), "\n";

# Closures, string growth, sorting by computed keys.
my @adders = map { my $n = $_; sub { $n += shift; $n } } 1 .. 20_000;
print "closures: ", sum(map { $_->(number(10)) } @adders), "\n";
my $long = '';
$long .= 'chunk' . number(100) for 1 .. 200_000;
print "long: ", length($long), ' ', substr(sha256_hex($long), 0, 16), "\n";
my @sorted = map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } map { [length($_), $_] } keys %places;
print "sorted: ", substr(sha256_hex("@sorted"), 0, 16), "\n";
print "factorial: ", length(Math::BigInt->new(300)->bfac()->bstr()), " digits\n";

# Children that allocate after fork.
for my $child (1 .. 4) {
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if (!$pid) {
        my %copy = map { ($_ => [@{$places{$_}}, $child]) } keys %places;
        print "child $child: ", scalar(keys %copy), ' ', sum(map { scalar @$_ } values %copy), "\n";
        exit 0;
    }
    print <$pipe>;
    close $pipe or die "child failed: $?";
}
PERL

perl -c work.pl 2>&1
perl work.pl
perl -MConfig -e 'printf "threads: %s\n", $Config{useithreads}'
perl -Mthreads -e '
    my $work = sub { my $n = shift; my %hash = map { ($_ => "x" x $n) } 1 .. 5000; return scalar keys %hash };
    my @threads = map { threads->create($work, $_) } 1 .. 8;
    my $sum = 0;
    $sum += $_->join for @threads;
    print "joined: $sum\n"'
