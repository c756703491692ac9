-- wrk script of bench/scale. What it does is its first argument.
--
-- fill PATH PREFIX VISIBLE COUNT: each thread creates COUNT rooms, PREFIX-thread-number from 1, over all its connections,
--   and stops.
-- measure COUNT STEP...: one thread and one connection: COUNT times the steps in turn, each timed for itself, then stops.
--   A step is three arguments: path, body, number. In the body $n is the round and $r a random number from 1 to that
--   number. Prints the times of each step in nanoseconds.
-- A thread that is done prints a line "@done"; wrk itself goes on until it gets SIGINT.
local ffi = require("ffi")
ffi.cdef([[
typedef struct { long seconds; long nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *out);
]])
local at = ffi.new("bench_time")
local threads = 0
local headers = { ["Content-Type"] = "application/json" }

function now_ns()
	ffi.C.clock_gettime(1, at) -- CLOCK_MONOTONIC
	return tonumber(at.seconds) * 1e9 + tonumber(at.nanoseconds)
end

function setup(thread)
	thread:set("thread_number", threads)
	threads = threads + 1
end

local function finish()
	io.write("@done\n")
	io.flush()
	wrk.thread:stop()
end

local function check(status, body)
	if status ~= 200 or not body:find('"ErrorCode":0,', 1, true) then
		io.write("@wrong " .. body .. "\n")
		io.flush()
		wrk.thread:stop()
		return false
	end
	return true
end

local function start_fill(args)
	local path, prefix, visible, count = args[2], args[3], args[4], tonumber(args[5])
	local made, answered = 0, 0
	local asked_once = thread_number > 0 -- wrk asks the first thread for a request that it never sends

	function request()
		if not asked_once then
			asked_once = true
			return wrk.format("POST", "/healthz", headers, "{}")
		end
		if made == count then -- its answer will not be waited for
			return wrk.format("POST", "/healthz", headers, "{}")
		end
		made = made + 1
		return wrk.format("POST", path, headers, string.format(
			'{"RoomInfo":{"RoomId":"%s-%d-%d","RoomType":"Live","RoomName":"a live room","MaxMemberCount":400,'
				.. '"CoverURL":"https://cdn.example.com/covers/1.png","Category":[1,2,3],"IsPublicVisible":%s,'
				.. '"IsSeatEnabled":true,"TakeSeatMode":"ApplyToTake","MaxSeatCount":8,"ActivityStatus":1}}',
			prefix, thread_number, made, visible))
	end

	function response(status, _, body)
		if check(status, body) and body:find('"RoomId"', 1, true) then
			answered = answered + 1
			if answered == count then
				finish()
			end
		end
	end
end

local function start_measure(args)
	local count, steps, times = tonumber(args[2]), {}, {}
	local round, step, sent_ns = 1, 1, 0

	for i = 3, #args, 3 do
		steps[#steps + 1] = { path = args[i], body = args[i + 1], most = tonumber(args[i + 2]) }
		times[#steps] = {}
	end
	math.randomseed(now_ns() % 2 ^ 31)

	function request()
		local it = steps[step]
		local body = it.body:gsub("%$(%a)", { n = tostring(round), r = tostring(math.random(it.most)) })
		local text = wrk.format("POST", it.path, headers, body)
		sent_ns = now_ns()
		return text
	end

	function response(status, _, body)
		local taken = now_ns() - sent_ns
		if not check(status, body) then
			return
		end
		times[step][round] = taken
		step = step + 1
		if step > #steps then
			step, round = 1, round + 1
		end
		if round > count then
			for _, list in ipairs(times) do
				io.write("@times [" .. table.concat(list, ",") .. "]\n")
			end
			finish()
		end
	end
end

function init(args)
	if args[1] == "fill" then
		start_fill(args)
	else
		start_measure(args)
	end
end
