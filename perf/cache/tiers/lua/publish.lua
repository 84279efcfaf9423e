-- Numbers a message and sends it: who hears a number that isn't the next one has missed some.
-- KEYS: counter. ARGV: channel, message. -> its number.
local number = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], string.format('%d ', number) .. ARGV[2])
return number
