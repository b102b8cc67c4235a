# witness: */lua5.4
# Lua: tables, strings, closures, coroutines and both modes of the collector.

cat >work.lua <<'LUA'
local state = 42
local function number(limit)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state // 65536) % limit
end

local function binary_trees(depth)
    if depth == 0 then return {} end
    return { binary_trees(depth - 1), binary_trees(depth - 1) }
end
local function count(tree)
    return tree[1] and 1 + count(tree[1]) + count(tree[2]) or 1
end

for _, mode in ipairs { "incremental", "generational" } do
    collectgarbage(mode)
    local total = 0
    for depth = 4, 16, 4 do
        for _ = 1, 2 ^ (16 - depth) // 16 + 1 do total = total + count(binary_trees(depth)) end
    end
    print(mode, "nodes", total)

    local words = {}
    for i = 1, 40000 do
        local letters = {}
        for j = 1, 2 + number(6) do letters[j] = string.char(97 + number(26)) end
        words[i] = table.concat(letters)
    end
    local counts, different = {}, {}
    for _, word in ipairs(words) do
        if not counts[word] then different[#different + 1] = word end
        counts[word] = (counts[word] or 0) + 1
    end
    table.sort(different, function(a, b)
        if counts[a] ~= counts[b] then return counts[a] > counts[b] end
        return a < b
    end)
    print("words", #words, "different", #different, different[1], counts[different[1]])
    local text = table.concat(words, " ")
    print("text", #text, (text:gsub("%f[%w]%w*e%w*", "<%0>")):len(), select(2, text:gsub("a", "")))

    local threads = {}
    for i = 1, 2000 do
        threads[i] = coroutine.wrap(function()
            local sum = i
            for j = 1, 10 do sum = sum + j; coroutine.yield(sum) end
            return -1
        end)
    end
    local sum = 0
    for _ = 1, 11 do for _, thread in ipairs(threads) do sum = sum + thread() end end
    print("coroutines", sum)
    local ok, message = pcall(error, { code = number(10) })
    print("error", ok, type(message), pcall(string.rep, "x", -1))
    local rows = {}
    for i = 1, 100000 do rows[i] = { id = i, text = ("row %d"):format(i) } end
    for i = 1, 100000, 2 do rows[i] = nil end
    collectgarbage()
    print("rows", rows[100000].text, rows[99999])
    print("packed", #string.pack(">I4s2", 7, ("y"):rep(60000)))
end
LUA
lua5.4 work.lua
