import { redisScript } from "./redis-script.ts";

/** Gives the time, the head, and the entries after a generation: by default after `all`. */
export const readChangesScript = redisScript(`
local time = redis.call('TIME')
local head = redis.call('HMGET', KEYS[1], 'incarnation', 'generation', 'all', 'purge', 'seal')
local entries = {}
if head[1] then
  local after = ARGV[1]
  if after == '' then after = head[3] end
  entries = redis.call('XRANGE', KEYS[2], '(' .. after .. '-0', '+', 'COUNT', ARGV[2])
end
return {time[1], time[2], head[1] or '', head[2] or '', head[3] or '', head[4] or '',
  head[5] or '', entries}
`);

/**
 * Begins a new incarnation, unless another has begun, or something was published, since the head that
 * was seen.
 */
export const renewScript = redisScript(`
local current = {}
local stream = redis.call('TYPE', KEYS[2]).ok
if redis.call('TYPE', KEYS[1]).ok == 'hash' and (stream == 'stream' or stream == 'none') then
  current = redis.call('HMGET', KEYS[1], 'incarnation', 'generation')
end
if (current[1] or '') ~= ARGV[1] or (current[2] or '') ~= ARGV[2] then return 'moved' end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'incarnation', ARGV[3], 'generation', ARGV[4], 'all', ARGV[4],
  'purge', ARGV[5], 'seal', ARGV[6])
return 'renewed'
`);

/**
 * Publishes the change that follows the head's generation. An id that doesn't grow is refused by
 * Redis, so that two who publish the same change neither repeat nor reorder it.
 */
export const publishScript = redisScript(`
local head = redis.call('HMGET', KEYS[1], 'incarnation', 'generation')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return 'moved' end
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], ARGV[3] .. '-0',
  'prev', ARGV[2], 'subjects', ARGV[6], 'seal', ARGV[7])
if type(added) == 'table' and added.err then
  if string.find(added.err, 'smaller', 1, true) or string.find(added.err, 'WRONGTYPE', 1, true) then
    return 'damaged'
  end
  return added
end
redis.call('HSET', KEYS[1], 'generation', ARGV[3], 'all', ARGV[4], 'seal', ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[9])
return 'published'
`);

/** Raises a subject's floor, and never lowers it. */
export const raiseFloorScript = redisScript(`
local floor = tonumber(redis.call('GET', KEYS[1]) or '') or -1
if floor < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 'raised'
`);
