# witness: */ruby*
# Ruby: strings, hashes, regular expressions, Marshal, JSON, threads, fibers, big integers, a compacted heap and fork.

cat >work.rb <<'RUBY'
require 'digest'
require 'json'
require 'set'
require 'stringio'
require 'zlib'

srand(42)
random = Random.new(7)
def sum_of(text) = Digest::SHA256.hexdigest(text)[0, 16]

words = Array.new(60_000) { Array.new(2 + random.rand(6)) { (97 + random.rand(26)).chr }.join }
counts = words.tally
puts "words #{words.size} different #{counts.size} most #{counts.max_by { |word, count| [count, word] }}"
text = words.join(' ')
puts "changed #{sum_of(text.gsub(/\b(\w)(\w*)\b/) { "#{$2}#{$1.upcase}" })} #{text.scan(/[aeiou]{2,}/).size}"
puts "symbols #{words.first(20_000).map { |word| :"s_#{word}" }.uniq.size}"

data = (1..4000).to_h do |i|
  list = Array.new(10) { random.rand(1000) }
  ["key#{i}", { list: list, name: 'n' * random.rand(60), nested: { i => [i / 7.0, nil, true] } }]
end
json = JSON.generate(data)
puts "json #{json.size} #{sum_of(json)} #{JSON.generate(JSON.parse(json)) == json}"
puts "marshal #{Marshal.load(Marshal.dump(data)) == data}"
puts "zlib #{Zlib.inflate(Zlib.deflate(json, 9)) == json}"
puts "big #{(1..600).inject(:*).to_s.size} #{(3**5000 % 10**20)}"

totals = Array.new(6) do |number|
  Thread.new { (1..2000).map { |i| ('x' * (i % 97)) + number.to_s }.each_slice(7).sum { |slice| slice.join('-').size } }
end.map(&:value)
puts "threads #{totals}"
fibers = Array.new(1500) { |i| Fiber.new { 5.times { |j| Fiber.yield("#{i}-#{j}") }; nil } }
seen = []
fibers.each { |fiber| while (value = fiber.resume) do seen << value end }
puts "fibers #{seen.size} #{sum_of(seen.join)}"

objects = Array.new(100_000) { |i| i.odd? ? "string #{i}" : [i, { i => i.to_s }] }
objects.map!.with_index { |object, i| i % 3 == 0 ? nil : object }
GC.start
GC.compact if GC.respond_to?(:compact)
puts "kept #{objects.compact.size} #{sum_of(objects.compact.inspect)}"
puts "sets #{Set.new(words).subset?(Set.new(counts.keys))}"

reader, writer = IO.pipe
children = Array.new(3) do |number|
  fork do
    reader.close
    writer.puts "child #{number}: #{words.map(&:reverse).uniq.size}"
    GC.start
    exit!(0)
  end
end
writer.close
puts reader.read.lines.sort
children.each { |pid| Process.wait(pid); puts $?.exitstatus }
begin
  raise ArgumentError, 'x' * 10
rescue => error
  puts "#{error.class} #{error.message}"
end
io = StringIO.new
200_000.times { |i| io << i << ',' }
puts "io #{io.string.size} #{sum_of(io.string)}"
RUBY
ruby -c work.rb
ruby work.rb
ruby --jit -e 'x = 0; 300_000.times { |i| x += i.to_s.size }; puts x' 2>/dev/null
