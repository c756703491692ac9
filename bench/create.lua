-- wrk script of bench/create: posts create_room with ids that never repeat, or the same body to the bare handler.
-- Arguments: the path; how many of ten requests go to the second path; the second path.
local thread_count = 0

function setup(thread)
	thread:set("thread_number", thread_count)
	thread_count = thread_count + 1
end

function init(args)
	first, share, second, run = args[1], tonumber(args[2]), args[3], args[4]
	count = 0
	headers = { ["Content-Type"] = "application/json" }
end

function request()
	count = count + 1
	local body = string.format(
		'{"RoomInfo":{"RoomId":"%s-%d-%d","RoomType":"Live","RoomName":"a live room","MaxMemberCount":400,'
			.. '"CoverURL":"https://cdn.example.com/covers/1.png","Category":[1,2,3],"IsPublicVisible":true,'
			.. '"IsSeatEnabled":true,"TakeSeatMode":"ApplyToTake","MaxSeatCount":8,"ActivityStatus":1}}',
		run, thread_number, count)
	return wrk.format("POST", count % 10 < share and second or first, headers, body)
end

function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format('\n@{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n', summary.requests,
		summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
