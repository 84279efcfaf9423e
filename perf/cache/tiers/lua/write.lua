-- Holds an entry, unless a mark moved since the writer's fence. Layout of an entry: check.lua.
-- KEYS: entry, mark of the namespace, of the key, of each tag.
-- ARGV: milliseconds to hold it; its nonce; 8 bytes of how long it is stale; the value; 1 when it replaces others, whose fences then
--       are void;
--       then per mark what the fence saw ('': nothing), a new mark for when there is none, and the tag. -> 1, or 0 when refused.
local marks = {}
for i = 2, #KEYS do
  local seen, mark = ARGV[3 * i], redis.call('GET', KEYS[i])
  if seen ~= '' and mark ~= seen then return 0 end
  marks[i] = mark
end
local body = {}
for i = 2, #KEYS do
  if i ~= 3 then -- An invalidated key is gone at once: its mark is for fences only.
    if not marks[i] then
      marks[i] = ARGV[3 * i + 1]
      redis.call('SET', KEYS[i], marks[i], 'PX', ARGV[1])
    elseif redis.call('PTTL', KEYS[i]) < tonumber(ARGV[1]) then
      redis.call('PEXPIRE', KEYS[i], ARGV[1])
    end
  end
  if i > 3 then
    local tag = ARGV[3 * i + 2]
    body[#body + 1] = struct.pack('>I2', #tag) .. tag .. marks[i]
  end
end
local tail = marks[2] .. struct.pack('>I2', #KEYS - 3) .. table.concat(body)
redis.call('SET', KEYS[1], ARGV[2] .. ARGV[3] .. struct.pack('>I4', 20 + #tail) .. tail, 'PX', ARGV[1])
redis.call('APPEND', KEYS[1], ARGV[4]) -- Cheaper than joining a large value in Lua.
if ARGV[5] == '1' then redis.call('UNLINK', KEYS[3]) end -- Last: after the first write Redis lets a script go beyond its memory.
return 1
