-- A file of requests, each as its length, a newline and its bytes → sent one after another, and a line of JSON.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  requests, sent = {}, 0
  local file = assert(io.open(args[1], "rb"))
  for line in file:lines() do
    requests[#requests + 1] = file:read(tonumber(line))
  end
  file:close()
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local sent = 0
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("sent")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "sent": %d, "micros": %d, "refused": %d, "broken": %d, "p50_micros": %d, "p99_micros": %d}\n',
    summary.requests, sent, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
