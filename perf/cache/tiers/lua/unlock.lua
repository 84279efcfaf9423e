-- Gives a lease back, if it is still the caller's. KEYS: lock. ARGV: token. -> 1 or 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
