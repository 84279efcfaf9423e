-- A lease on loading a key; who gets it moves the key's mark, so that a holder before it, frozen beyond its lease, can't store.
-- KEYS: lock, mark of the key. ARGV: token, milliseconds, new mark, milliseconds a mark holds. -> 1, or 0 when another has it.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
