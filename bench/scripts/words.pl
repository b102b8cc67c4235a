# A workload for perl: regular expressions, hashes, sorting, closures, strings that grow. Scalars, their texts and hash
# entries are blocks of their own.
#
# Usage: words.pl [SCALE], a percentage. Prints one result line that depends on the work alone.
use strict;
use warnings;

my $scale = @ARGV ? $ARGV[0] : 100;
my $state = 12345;
my $checksum = 0;

sub number {
    my ($limit) = @_;
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return int($state / 65536) % $limit;
}
sub note { $checksum = ($checksum * 31 + $_[0]) % 4294967291 }

sub make_text {
    my ($words) = @_;
    return join ' ', map { join '', map { chr(97 + number(26)) } 1 .. 2 + number(7) } 1 .. $words;
}

# Where each word stands; then the words by frequency and by length.
sub index_words {
    my ($text) = @_;
    my (%places, $place);
    push @{$places{$1}}, $place++ while $text =~ /(\w+)/g;
    my @frequent = sort { @{$places{$b}} <=> @{$places{$a}} || $a cmp $b } keys %places;
    my @sorted = map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } map { [length, $_] } @frequent;
    note(length $_) for @frequent[0 .. 99], @sorted[-100 .. -1];
    note(scalar @frequent);
}

# Each word turned, the vowels up.
sub change_words {
    my ($text) = @_;
    (my $changed = $text) =~ s/([aeiou])(\w)/\U$2\E$1$1/g;
    note(length $changed);
    note(unpack '%32C*', join '-', reverse split / /, $changed);
}

# Nested records that hold closures; half of them are replaced.
sub keep_records {
    my %records = map {
        my $key = $_;
        ("key$key" => {list => [map { number(1000) } 1 .. 8], name => 'n' x number(60), add => sub { $key + $_[0] }})
    } 1 .. 3000;
    delete $records{'key' . 2 * $_} for 1 .. 1500;
    $records{"new$_"} = {list => [$_] , name => "name $_", add => sub { $_[0] }} for 1 .. 1500;
    for my $key (sort keys %records) {
        my $record = $records{$key};
        note($record->{add}->($record->{list}[0]) + length $record->{name});
    }
}

my $rounds = $scale * 8 / 100 < 1 ? 1 : int($scale * 8 / 100);
for (1 .. $rounds) {
    my $text = make_text(8000);
    index_words($text);
    change_words($text);
    keep_records();
}
printf "ok workload=perl operations=%d checksum=%08x\n", $rounds, $checksum;
