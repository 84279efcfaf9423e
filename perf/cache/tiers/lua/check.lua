-- Does the entry still hold? Asked right before its GET, in the same packet, so that no large value passes through Lua.
-- KEYS: entry. ARGV: prefix. -> {nonce of the entry, milliseconds it has left or -1}; nil when there is none that holds.
-- Entry: nonce (8 bytes), milliseconds it is stale at its end (8), length of all before the value (4), mark of the namespace (8),
-- number of tags (2); per tag its length (2), its name, its mark (8); value. Numbers are big-endian.
local function holds()
  local head = redis.call('GETRANGE', KEYS[1], 0, 1023)
  local size = struct.unpack('>I4', head, 17)
  if size > #head then head = redis.call('GETRANGE', KEYS[1], 0, size - 1) end
  if redis.call('GET', ARGV[1] .. '*') ~= string.sub(head, 21, 28) then return nil end
  local at = 31
  for _ = 1, struct.unpack('>I2', head, 29) do
    local length = struct.unpack('>I2', head, at)
    local name = string.sub(head, at + 2, at + 1 + length)
    at = at + 2 + length
    if redis.call('GET', ARGV[1] .. 't:' .. name) ~= string.sub(head, at, at + 7) then return nil end
    at = at + 8
  end
  return string.sub(head, 1, 8)
end

local left = redis.call('PTTL', KEYS[1])
if left == -2 then return nil end
local fine, nonce = pcall(holds)
if fine and nonce then return {nonce, left} end
-- Not what it should be, or no longer true. Without it the GET that follows fetches nothing; a read-only server keeps it: no harm.
redis.pcall('UNLINK', KEYS[1])
return nil
