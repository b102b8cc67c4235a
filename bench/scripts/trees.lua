-- A workload for lua5.4: trees, strings, tables, closures, coroutines. Every table and string is a block of its own.
--
-- Usage: trees.lua [SCALE], a percentage. Prints one result line that depends on the work alone.

local scale = tonumber(arg[1] or 100)
local state = 42
local function number(limit)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state // 65536) % limit
end

local checksum = 0
local function note(value) checksum = (checksum * 31 + value) % 4294967291 end

local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
end
local function count(node) return node[1] and 1 + count(node[1]) + count(node[2]) or 1 end

-- Short-lived trees beside one that stays.
local function grow_trees()
    local long_lived = tree(14)
    for _ = 1, 50 do note(count(tree(9))) end
    note(count(long_lived))
end

-- Words, how often each occurs, and a text with some of them marked.
local function count_words()
    local words, counts, different = {}, {}, {}
    for i = 1, 12000 do
        local letters = {}
        for j = 1, 2 + number(6) do letters[j] = string.char(97 + number(26)) end
        words[i] = table.concat(letters)
    end
    for _, word in ipairs(words) do
        if not counts[word] then different[#different + 1] = word end
        counts[word] = (counts[word] or 0) + 1
    end
    table.sort(different)
    local marked = table.concat(words, " "):gsub("%f[%w]%w*e%w*", "<%0>")
    note(#different)
    note(#marked)
end

-- Rows that are closures and tables, half of which go; then coroutines that all live at once.
local function keep_rows()
    local rows = {}
    for i = 1, 30000 do
        local text = ("row %d"):format(i)
        rows[i] = { id = i, text = text, show = function() return #text + i end }
    end
    for i = 1, #rows, 2 do rows[i] = false end
    for i = 2, #rows, 2 do note(rows[i].show()) end
    local threads = {}
    for i = 1, 1500 do
        threads[i] = coroutine.wrap(function() for j = 1, 4 do coroutine.yield(i + j) end return i end)
    end
    for _ = 1, 5 do for _, thread in ipairs(threads) do note(thread()) end end
end

local rounds = math.max(1, scale * 7 // 100)
for _ = 1, rounds do
    grow_trees()
    count_words()
    keep_rows()
end
print(("ok workload=lua operations=%d checksum=%08x"):format(rounds, checksum))
