# witness: */php*
# PHP with its own memory manager, and without it, when every value is a block of malloc.

cat >work.php <<'PHP'
<?php
mt_srand(42);
function sum_of(string $text): string { return substr(hash('sha256', $text), 0, 16); }

$words = [];
for ($i = 0; $i < 50000; $i++) {
    $word = '';
    for ($j = mt_rand(2, 7); $j > 0; $j--) $word .= chr(mt_rand(97, 122));
    $words[] = $word;
}
$counts = array_count_values($words);
ksort($counts);
arsort($counts);
echo 'words ', count($words), ' different ', count($counts), ' ', array_key_first($counts), "\n";
$text = implode(' ', $words);
echo 'changed ', sum_of(preg_replace_callback('/\b(\w)(\w*)\b/', fn($m) => $m[2] . strtoupper($m[1]), $text)), "\n";
echo 'split ', count(preg_split('/[aeiou]+/', $text)), ' ', levenshtein('kitten', 'sitting'), ' ',
    similar_text($words[0], $words[1]), "\n";

$data = [];
for ($i = 0; $i < 4000; $i++) {
    $nested = ['x' => [$i / 7, null, true]];
    $data["key$i"] = ['list' => range($i, $i + 9), 'name' => str_repeat('n', $i % 60), 'nested' => $nested];
}
$json = json_encode($data);
echo 'json ', strlen($json), ' ', json_encode(json_decode($json, true)) === $json ? 'same' : 'different', "\n";
echo 'serialize ', unserialize(serialize($data)) == $data ? 'same' : 'different', "\n";

class Node
{
    public array $children = [];
    public ?Node $parent = null;
    public function __construct(public string $name) {}
}
$root = new Node('root');
$level = [$root];
for ($depth = 0; $depth < 5; $depth++) {
    $next = [];
    foreach ($level as $node) {
        for ($i = 0; $i < 6; $i++) {
            $child = new Node("$depth.$i");
            $child->parent = $node;
            $node->children[] = $child;
            $next[] = $child;
        }
    }
    $level = $next;
}
echo 'leaves ', count($level), "\n";
unset($root, $level, $next, $node, $child);
echo 'collected ', gc_collect_cycles() > 0 ? 'some' : 'none', "\n";

function numbers(int $limit) { for ($i = 0; $i < $limit; $i++) yield $i => "v$i"; }
$total = 0;
foreach (numbers(200000) as $key => $value) $total += strlen($value) * ($key % 3);
echo "generator $total\n";
$heap = new SplPriorityQueue();
foreach ($words as $i => $word) $heap->insert($word, [strlen($word), -$i]);
$first = []; for ($i = 0; $i < 3; $i++) $first[] = $heap->extract();
echo 'heap ', implode(' ', $first), ' ', count($heap), "\n";
$storage = new SplObjectStorage();
for ($i = 0; $i < 5000; $i++) $storage[new ArrayObject([$i])] = $i;
echo 'storage ', count($storage), "\n";
usort($words, fn($a, $b) => [strlen($b), $a] <=> [strlen($a), $b]);
echo 'sorted ', sum_of(implode(' ', $words)), "\n";
$long = '';
for ($i = 0; $i < 300000; $i++) $long .= chr(97 + $i % 26);
echo 'long ', strlen($long), ' ', md5($long), ' ', strlen(str_repeat($long, 20)), "\n";
try {
    throw new RuntimeException(sprintf('%05d', 42));
} catch (Exception $e) {
    echo get_class($e), ' ', $e->getMessage(), "\n";
}
PHP
php -n -l work.php
echo '== own memory manager'
php -n -d memory_limit=256M work.php
echo '== malloc for every value'
USE_ZEND_ALLOC=0 php -n work.php
echo '== limit'
php -n -d memory_limit=4M -d display_errors=1 -d html_errors=0 -r '$x = str_repeat("x", 8000000);' >limit.txt ||
    echo "status $?"
grep -o 'Allowed memory size of 4194304 bytes exhausted' limit.txt
