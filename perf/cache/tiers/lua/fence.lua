-- The marks of names; a name without one is given one. A mark is 8 random bytes that stay until the name is invalidated: a mark
-- that expired or was evicted is never equal to a later one, so nothing old can come back.
-- KEYS: marks. ARGV: milliseconds they hold at least, then a new mark for each. -> marks.
local found = {}
for i, name in ipairs(KEYS) do
  local mark = redis.call('GET', name)
  if not mark then
    mark = ARGV[i + 1]
    redis.call('SET', name, mark, 'PX', ARGV[1])
  elseif redis.call('PTTL', name) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', name, ARGV[1])
  end
  found[i] = mark
end
return found
