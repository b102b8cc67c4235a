# A workload for ruby: strings, hashes, arrays, JSON, Marshal. What does not fit into a slot of Ruby's own heap is a
# block: long strings, the tables of hashes, the bodies of arrays.
#
# Usage: records.rb [SCALE], a percentage. Prints one result line that depends on the work alone.
require 'json'
require 'zlib'

SCALE = Integer(ARGV.fetch(0, '100'))
RANDOM = Random.new(7)

def make_records(count)
  (1..count).to_h do |i|
    list = Array.new(4 + RANDOM.rand(12)) { RANDOM.rand(100_000) }
    ["key#{i}", { 'list' => list, 'name' => 'n' * (20 + RANDOM.rand(200)), 'nested' => { i.to_s => [i / 8.0, nil] } }]
  end
end

def check(condition) = condition || abort('records.rb: a copy differs')

# There and back by two ways; then sorted and joined.
def copy_records(records)
  json = JSON.generate(records)
  check(JSON.parse(json) == records)
  check(Marshal.load(Marshal.dump(records)) == records)
  lines = records.map { |key, record| "#{record['name']}-#{record['list'].sort.join(',')}-#{key}" }
  Zlib.crc32(lines.sort.join("\n"), Zlib.crc32(json))
end

# A text word by word: counted, changed, and grown by pieces.
def count_words(count)
  words = Array.new(count) { Array.new(2 + RANDOM.rand(6)) { (97 + RANDOM.rand(26)).chr }.join }
  counts = words.tally.sort_by { |word, times| [-times, word] }
  changed = words.join(' ').gsub(/\b(\w)(\w*)\b/) { "#{$2}#{$1.upcase}" }
  grown = +''
  words.each { |word| grown << word << '/' << word.reverse }
  Zlib.crc32(changed + grown, counts.size)
end

rounds = [1, SCALE * 8 / 100].max
checksum = rounds.times.reduce(0) do |sum, _|
  Zlib.crc32("#{sum} #{copy_records(make_records(1500))} #{count_words(6000)}")
end
puts format('ok workload=ruby operations=%<rounds>d checksum=%<checksum>08x', rounds:, checksum:)
