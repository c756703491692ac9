"""The alert: when it is made, what it says, and when it is not.

`CallbackSequence` of an app counts the alerts ever made and is stored with the room, so "no alert" is exact and needs no
waiting.
"""

import concurrent.futures
import json
import time

import pytest

import wire

ORDER = ["SdkAppid", "CallbackCommand", "contenttype", "ClientIP", "OptPlatform"]


def counts(receiver):
    return [request["body"]["CurRoomCount"] for request in receiver.by_sequence()]


def remake(app, first, last):
    """Destroys rooms, so that they can be made again."""
    for number in range(first, last + 1):
        app.destroy(f"r{number}").ok()


@pytest.mark.smoke
def test_every_alerts_with_each_creation_at_or_above_the_line(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 6)
    assert backend.made() == 0
    app.fill(7, 10)
    receiver.wait_for(4, 60)
    backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), seconds=60)
    assert backend.made() == 4
    assert counts(receiver) == [7, 8, 9, 10]
    assert len(receiver.requests) == 4
    assert {request["body"]["MaxRoomCount"] for request in receiver.requests} == {10}


def test_every_makes_none_for_a_destroyed_room_and_one_for_it_made_again(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 8)
    assert backend.made() == 2
    app.destroy("r8").ok()
    app.destroy("r7").ok()
    assert backend.made() == 2
    app.create("r7").ok()
    receiver.wait_for(3)
    assert counts(receiver) == [7, 8, 7]


def test_edge_alerts_once_on_crossing(backend, receiver):
    app = backend.app(MaxRoomCount=10, AlertMode="edge", callback=receiver.url)
    app.fill(1, 10)
    receiver.wait_for(1)
    assert backend.made() == 1
    assert counts(receiver) == [7]


def test_edge_alerts_again_only_after_falling_below_line_minus_margin(backend, receiver):
    app = backend.app(MaxRoomCount=20, AlertMode="edge", callback=receiver.url)  # line 14, re-armed below 13
    app.fill(1, 14)
    assert backend.made() == 1
    app.destroy("r14").ok()
    app.create("r14").ok()
    assert backend.made() == 1, "13 of 20 is the margin itself, not below it"
    remake(app, 13, 14)
    app.create("r13").ok()
    assert backend.made() == 1
    app.create("r14").ok()
    receiver.wait_for(2)
    assert counts(receiver) == [14, 14]


@pytest.mark.parametrize("step, expected", [(10, [7, 8, 9, 10]), (20, [7, 9]), (15, [7, 9, 10])])
def test_step_alerts_at_each_further_line_once(backend, receiver, step, expected):
    app = backend.app(MaxRoomCount=10, AlertMode="step", StepPercent=step, callback=receiver.url)
    app.fill(1, 10)
    receiver.wait_for(len(expected))
    assert backend.made() == len(expected)
    assert counts(receiver) == expected


def test_several_thresholds_alert_once_each_and_say_which(backend, receiver):
    app = backend.app(MaxRoomCount=10, AlertMode="edge", Thresholds=[50, 70, 100], callback=receiver.url)
    app.fill(1, 10)
    receiver.wait_for(3)
    assert backend.made() == 3
    found = [(r["body"]["CurRoomCount"], r["headers"]["highwater-threshold"]) for r in receiver.by_sequence()]
    assert found == [(5, "50"), (7, "70"), (10, "100")]


@pytest.mark.parametrize("maximum, first", [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (11, 8), (101, 71)])
def test_line_of_a_maximum_that_is_no_multiple_of_ten(backend, receiver, maximum, first):
    app = backend.app(MaxRoomCount=maximum, AlertMode="edge", callback=receiver.url)
    app.fill(1, first - 1)
    assert backend.made() == 0
    app.create("next").ok()
    assert backend.made() == 1
    receiver.wait_for(1)
    assert counts(receiver) == [first]


def test_packet_is_the_vendors_sample_byte_for_byte(backend, receiver):
    app = backend.app(callback=receiver.url, Admins=["administrator", "brennanli"])
    with concurrent.futures.ThreadPoolExecutor(4) as pool:

        def fill(worker):
            mine = app.over(backend.client())
            for number in range(worker, 399, 4):
                mine.create(f"room-{number}").ok()

        list(pool.map(fill, range(4)))
    before = int(time.time() * 1000)
    app.rest("create_room", {"RoomInfo": {"RoomId": "last", "RoomType": "Live"}}, identifier="brennanli").ok()
    after = int(time.time() * 1000)
    receiver.wait_for(51, 30)
    assert sorted(counts(receiver)) == list(range(350, 401))
    request = next(r for r in receiver.requests if r["body"]["CurRoomCount"] == 400)
    event_time = request["body"]["EventTime"]
    assert before <= event_time <= after
    assert request["raw"] == (
        b'{"CallbackCommand":"Live.CallbackAfterCreateRoomReachingThreshold","Operator_Account":"brennanli",'
        b'"EventTime":' + str(event_time).encode() + b',"CurRoomCount":400,"MaxRoomCount":500}'
    )
    assert request["headers"]["content-type"] == "application/json"


def test_concurrent_creations_fill_the_quota_exactly_and_alert_for_each(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:

        def create(worker):
            mine = app.over(backend.client())
            return [mine.create_as(f"w{worker}-{n}", f"user{worker}", "iOS").code for n in range(5)]

        codes = [code for made in pool.map(create, range(8)) for code in made]
    assert sorted(codes) == [0] * 10 + [100013] * 30
    assert len(app.room_ids()) == backend.show()["RoomCount"] == 10
    receiver.wait_for(4)
    assert backend.made() == 4
    assert counts(receiver) == [7, 8, 9, 10]


def test_refused_creation_makes_no_alert_and_no_count(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 10)
    app.create("r11").refused(100013, "10 rooms", "maximum is 10")
    app.create_as("r12", "alice", "Web").refused(100013, "10 rooms", "maximum is 10")
    shown = backend.show()
    assert (shown["RoomCount"], shown["CallbackSequence"]) == (10, 4)
    assert len(app.room_ids()) == 10


def test_maximum_of_zero_admits_nothing(backend, receiver):
    app = backend.app(MaxRoomCount=0, callback=receiver.url)
    app.create("r1").refused(100013, "maximum is 0")
    assert backend.made() == 0


@pytest.mark.parametrize("code, owner", [(100010, "administrator"), (100003, "somebody")])
def test_creating_a_room_that_exists_makes_no_alert(backend, receiver, code, owner):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 7)
    app.create("r7", Owner_Account=owner).refused(code)
    shown = backend.show()
    assert (shown["RoomCount"], shown["CallbackSequence"]) == (7, 1)


PLATFORMS = [
    ("Web", "Web"),
    ("Android", "Android"),
    ("iOS", "iOS"),
    ("Windows", "Windows"),
    ("Mac", "Mac"),
    ("iPad", "iPad"),
    ("Unknown", "Unknown"),
    ("Toaster", "Unknown"),
    ("", "Unknown"),
    (None, "Unknown"),
    ("RESTAPI", "Unknown"),
]


def test_client_creation_carries_its_platform_and_rest_cannot_be_claimed(backend, receiver):
    app = backend.app(MaxRoomCount=len(PLATFORMS), Thresholds=[1], callback=receiver.url)
    for number, (platform, _) in enumerate(PLATFORMS):
        app.create_as(f"p{number}", "alice", platform).ok()
    receiver.wait_for(len(PLATFORMS))
    found = receiver.by_sequence()
    assert [request["params"]["OptPlatform"] for request in found] == [shown for _, shown in PLATFORMS]
    assert {request["body"]["Operator_Account"] for request in found} == {"alice"}


def test_rest_creation_carries_restapi_whatever_it_says(backend, receiver):
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    body = {"RoomInfo": {"RoomId": "r", "RoomType": "Live", "Owner_Account": "bob"}}
    app.rest("create_room", body, platform="iOS").ok()
    request = receiver.wait_for(1)[0]
    assert request["params"]["OptPlatform"] == "RESTAPI"
    assert request["body"]["Operator_Account"] == "administrator", "who asked, not who owns the room"


def test_query_has_the_documented_parameters_in_their_order(backend, receiver):
    app = backend.app(MaxRoomCount=1, callback=receiver.url + "/a/path")
    app.create_as("r", "alice", "Mac").ok()
    request = receiver.wait_for(1)[0]
    assert request["path"] == (
        "/a/path?SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterCreateRoomReachingThreshold"
        "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=Mac"
    )


def test_a_url_with_a_query_keeps_it(backend, receiver):
    app = backend.app(MaxRoomCount=1, callback=receiver.url + "/x?tenant=7")
    app.create("r").ok()
    request = receiver.wait_for(1)[0]
    assert request["path"].startswith("/x?tenant=7&SdkAppid=1400000001&")
    assert [name for name, _ in request["query"]] == ["tenant", *ORDER]


@pytest.mark.smoke
def test_sign_and_request_time_come_last_and_are_right(backend, receiver):
    app = backend.app(MaxRoomCount=2, Thresholds=[1], callback=receiver.url, token="xxxxyyyy")
    app.create_as("r1", "alice", "Web").ok()
    app.create("r2").ok()
    for request in receiver.wait_for(2, 60):
        assert [name for name, _ in request["query"]] == [*ORDER, "Sign", "RequestTime"]
        assert request["params"]["Sign"] == wire.sign("xxxxyyyy", request["params"]["RequestTime"])
        assert abs(int(request["params"]["RequestTime"]) - request["time"]) < 30


def test_the_independent_sign_is_the_vendors():
    assert wire.sign("xxxxyyyy", 1669872112) == "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"


def test_our_own_headers(backend, receiver):
    app = backend.app(MaxRoomCount=2, Thresholds=[50], callback=receiver.url)
    app.fill(1, 2)
    receiver.wait_for(2)
    found = receiver.by_sequence()
    assert [request["headers"]["highwater-sequence"] for request in found] == ["1", "2"]
    assert {request["headers"]["highwater-threshold"] for request in found} == {"50"}
    assert {request["headers"]["highwater-attempt"] for request in found} == {"1"}
    assert len({request["headers"]["webhook-id"] for request in found}) == 2
    for request in found:
        assert abs(int(request["headers"]["webhook-timestamp"]) - request["time"]) < 30
    listed = {row["WebhookId"]: row["Sequence"] for row in backend.deliveries()}
    assert listed == {r["headers"]["webhook-id"]: int(r["headers"]["highwater-sequence"]) for r in found}


def client_ip(backend, app, receiver, room, source=None, forwarded=None):
    caller = app.over(backend.client(source=source))
    headers = {"X-Forwarded-For": forwarded} if forwarded else None
    before = len(receiver.requests)
    caller.user("create_room", {"RoomInfo": {"RoomId": room, "RoomType": "Live"}}, "alice", "Web", headers).ok()
    return receiver.wait_for(before + 1)[before]["params"]["ClientIP"]


def test_client_ip_is_the_callers_address(backend, receiver):
    app = backend.app(MaxRoomCount=10, Thresholds=[1], callback=receiver.url)
    assert client_ip(backend, app, receiver, "a") == "127.0.0.1"
    assert client_ip(backend, app, receiver, "b", source="127.0.0.7") == "127.0.0.7"
    assert client_ip(backend, app, receiver, "c", forwarded="203.0.113.9") == "127.0.0.1", "nobody is trusted"


@pytest.mark.parametrize(
    "source, forwarded, expected",
    [
        ("127.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.2", "2001:DB8::1", "2001:db8::1"),
        ("127.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.2", "203.0.113.9, 127.0.0.3", "203.0.113.9"),
        ("127.0.0.2", "203.0.113.9,127.0.0.2 , 127.0.0.3", "203.0.113.9"),
        ("127.0.0.2", None, "127.0.0.2"),
        ("127.0.0.2", "not an address", "127.0.0.2"),
        ("127.0.0.2", "203.0.113.9, not an address", "127.0.0.2"),
        ("127.0.0.4", "203.0.113.9", "127.0.0.4"),
        ("127.0.0.1", "203.0.113.9", "127.0.0.1"),
    ],
)
def test_forwarded_address_is_believed_only_from_a_trusted_proxy(make_backend, receiver, source, forwarded, expected):
    backend = make_backend("--http-trusted-proxies", "127.0.0.2,127.0.0.3")
    app = backend.app(MaxRoomCount=10, Thresholds=[1], callback=receiver.url)
    assert client_ip(backend, app, receiver, "r", source, forwarded) == expected


@pytest.mark.parametrize("commands", [[], ["Live.CallbackAfterMemberStateChanged"]])
def test_switch_off_makes_no_alert_and_the_line_stays_armed(backend, receiver, commands):
    app = backend.app(MaxRoomCount=10, AlertMode="edge", callback=receiver.url, commands=commands)
    app.fill(1, 8)
    assert backend.made() == 0
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": [wire.ALERT]}).ok()
    assert backend.made() == 0
    app.create("r9").ok()
    receiver.wait_for(1)
    assert backend.made() == 1
    assert counts(receiver) == [9]


def test_no_callback_configuration_makes_no_alert(backend):
    app = backend.app(MaxRoomCount=2)
    app.fill(1, 2)
    assert backend.made() == 0


def test_lowering_the_maximum_across_the_line_alerts(backend, receiver):
    app = backend.app(MaxRoomCount=20, AlertMode="edge", callback=receiver.url)
    app.fill(1, 10)
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 15}).ok()
    assert backend.made() == 0, "10 of 15 is 66 %"
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 14}).ok()
    request = receiver.wait_for(1)[0]
    assert backend.made() == 1
    assert (request["body"]["CurRoomCount"], request["body"]["MaxRoomCount"]) == (10, 14)
    assert request["body"]["Operator_Account"] == "@TIM#SYSTEM", "no user created a room"
    app.create("r11").ok()
    assert backend.made() == 1, "the line has alerted already"


def test_lowering_the_maximum_alerts_in_mode_every_too(backend, receiver):
    app = backend.app(MaxRoomCount=20, callback=receiver.url)
    app.fill(1, 10)
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 14}).ok()
    request = receiver.wait_for(1)[0]
    assert (request["body"]["CurRoomCount"], request["body"]["MaxRoomCount"]) == (10, 14)
    assert request["body"]["Operator_Account"] == "@TIM#SYSTEM"
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 20}).ok()
    app.create("r11").ok()
    assert backend.made() == 1


def test_maximum_below_the_count_keeps_rooms_and_refuses_new_ones(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 5)
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 3}).ok()
    app.create("r6").refused(100013, "5 rooms", "maximum is 3")
    assert len(app.room_ids()) == 5
    for number in (5, 4, 3):
        app.destroy(f"r{number}").ok()
    app.create("r3").ok()


def test_raising_the_maximum_re_arms_the_line(backend, receiver):
    app = backend.app(MaxRoomCount=10, AlertMode="edge", callback=receiver.url)
    app.fill(1, 7)
    backend.manage("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": 20}).ok()
    assert backend.show()["AlertLevel"] == 0
    app.fill(8, 14)
    receiver.wait_for(2)
    assert [(r["body"]["CurRoomCount"], r["body"]["MaxRoomCount"]) for r in receiver.by_sequence()] == [
        (7, 10),
        (14, 20),
    ]


def test_apps_are_isolated(backend, make_receiver):
    apps = [1400000001, 1400000002, 20]
    receivers = [make_receiver() for _ in apps]
    made = [
        backend.app(sdkappid, MaxRoomCount=3 + number, callback=receivers[number].url, token=f"token-{number}")
        for number, sdkappid in enumerate(apps)
    ]
    for app in made:
        app.fill(1, 3)  # the same room ids in each
    made[1].create("r4").ok()
    made[0].create("r4").refused(100013, "maximum is 3")
    expected = [[3], [3, 4], []]
    for number, sdkappid in enumerate(apps):
        receivers[number].wait_for(len(expected[number]))
        assert backend.made(sdkappid) == len(expected[number])
        assert counts(receivers[number]) == expected[number]
        for request in receivers[number].requests:
            assert request["params"]["SdkAppid"] == str(sdkappid)
            assert request["params"]["Sign"] == wire.sign(f"token-{number}", request["params"]["RequestTime"])
    made[0].destroy("r3").ok()
    assert [backend.show(sdkappid)["RoomCount"] for sdkappid in apps] == [2, 4, 3]


def test_alert_is_listed_with_all_facts(backend, receiver):
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create_as("r", "alice", "iPad").ok()
    row = backend.wait_deliveries(lambda rows: rows and rows[0]["State"] == "delivered")[0]
    request = receiver.requests[0]
    assert row["Body"] == request["body"] == json.loads(request["raw"])
    assert row["WebhookId"] == request["headers"]["webhook-id"]
    assert row["CallbackCommand"] == wire.ALERT
    assert (row["Attempts"], row["HttpStatus"], row["Error"]) == (1, 200, "")
    assert (row["OptPlatform"], row["ClientIP"], row["Threshold"]) == ("iPad", "127.0.0.1", 70)
    assert row["EventTime"] == request["body"]["EventTime"]
