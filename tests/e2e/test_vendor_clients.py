"""Requests as real clients of the vendor's server API make them: several HTTP clients that share no code with each other,
their habits, and the flow of an administration panel from the first import to the destruction of the room.
"""

import http.client
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

import wire

ENGINE, LOGIN = "live_engine_http_srv", "im_open_login_svc"


def now_ms():
    """What callers use as `random`, though it has more than 32 bits."""
    return str(int(time.time() * 1000))


def usersig_with_star(app):
    """A UserSig with the character that some callers encode and others do not."""
    now = int(time.time())
    sigs = (wire.usersig(app.sdkappid, "administrator", app.key, now=now - back) for back in range(2000))
    return next(sig for sig in sigs if "*" in sig)


def parameters(app):
    """The parameters of the URL, not encoded yet."""
    return {
        "sdkappid": str(app.sdkappid),
        "identifier": "administrator",
        "usersig": usersig_with_star(app),
        "random": now_ms(),
        "contenttype": "json",
    }


def unescaped(app):
    """A query that holds nothing to encode."""
    return "&".join(f"{name}={value}" for name, value in parameters(app).items())


# ---- the clients: each makes calls [(path, parameters, body)] one after the other, and gives the replies ----


def by_curl(port, calls):
    """One process for all calls over one connection; the star stays as it is; the content type is that of a form."""
    arguments = []
    for path, fields, body in calls:
        query = "&".join(f"{name}={value}" for name, value in fields.items())
        arguments += [
            "--next", "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code} %{num_connects}\n",
            "--data-binary", json.dumps(body), f"http://127.0.0.1:{port}{path}?{query}",
        ]  # fmt: skip
    done = subprocess.run(["curl", *arguments[1:]], capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.splitlines()
    statuses = [line.split() for line in lines[1::2]]
    assert [connects for _, connects in statuses] == ["1"] + ["0"] * (len(calls) - 1), "not over one connection"
    return [wire.Reply(int(status), raw.encode()) for raw, (status, _) in zip(lines[::2], statuses, strict=True)]


def by_urllib(port, calls):
    """A connection for each call, closed after it; the star is encoded."""
    replies = []
    for path, fields, body in calls:
        url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(fields)}"
        assert "%2A" in url
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=20) as answer:
            replies.append(wire.Reply(answer.status, answer.read()))
    return replies


def by_http_client(port, calls):
    """One connection; JSON as its content type, with a charset."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    replies, ports = [], set()
    for path, fields, body in calls:
        query = urllib.parse.urlencode(fields, quote_via=urllib.parse.quote, safe="*")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
        }
        connection.request("POST", f"{path}?{query}", json.dumps(body).encode(), headers)
        ports.add(connection.sock.getsockname()[1])
        answer = connection.getresponse()
        replies.append(wire.Reply(answer.status, answer.read()))
    connection.close()
    assert len(ports) == 1, "not over one connection"
    return replies


NODE = """
let text = "";
for await (const chunk of process.stdin) text += chunk;
const { port, calls } = JSON.parse(text);
const replies = [];
for (const [path, fields, body] of calls) {
	const url = `http://127.0.0.1:${port}${path}?${new URLSearchParams(fields)}`;
	const reply = await fetch(url, { method: "POST", body: JSON.stringify(body) });
	replies.push([reply.status, await reply.text()]);
}
console.log(JSON.stringify(replies));
"""


def by_node(port, calls):
    """fetch, which keeps connections, asks for compressed replies, and says text/plain."""
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", NODE],
        input=json.dumps({"port": port, "calls": calls}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [wire.Reply(status, text.encode()) for status, text in json.loads(done.stdout)]


def have(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not there")


def have_fetch():
    have("node")
    found = subprocess.run(["node", "--print", "typeof fetch"], capture_output=True, text=True, timeout=60, check=False)
    if found.stdout.strip() != "function":
        pytest.skip("this node has no fetch")


CLIENTS = {
    "curl": (by_curl, lambda: have("curl")),
    "urllib": (by_urllib, lambda: None),
    "http.client": (by_http_client, lambda: None),
    "node": (by_node, have_fetch),
}


@pytest.fixture(params=CLIENTS)
def send(request, backend):
    """Makes calls [(service, command, body)] of an app with one of the clients."""
    client, check = CLIENTS[request.param]
    check()

    def send_all(app, *calls):
        fields = parameters(app)
        replies = client(backend.port, [(f"/v4/{service}/{command}", fields, body) for service, command, body in calls])
        assert len(replies) == len(calls)
        for reply in replies:
            assert reply.status == 200
            assert reply.body["RequestId"]
        return replies

    return send_all


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=100, AccountsRequired=True)


# ---- whole flows ----

SHOW = {
    "RoomId": "show-1",
    "RoomType": "Live",
    "RoomName": "\u76f4\u64ad \U0001f3a4",
    "Owner_Account": "host",
    "SeatTemplate": "VideoDynamicGrid9Seats",
    "TakeSeatMode": "ApplyToTake",
    "KeepOwnerOnSeat": False,
    "IsUnlimitedRoomEnabled": True,
    "MaxMemberCount": None,
    "CustomInfo": "",
}


def create_flow():
    return [
        (LOGIN, "account_import", {"UserID": "host", "Nick": "Host", "FaceUrl": ""}),
        (ENGINE, "create_room", {"RoomInfo": SHOW}),
        (ENGINE, "set_room_metadata", {"RoomId": "show-1", "Metadata": [{"Key": "source", "Value": '{"obs":true}'}]}),
    ]


@pytest.mark.smoke
def test_flow_of_the_administration_panel(app, send):
    made = send(app, *create_flow())
    made[0].bare()
    assert made[1].ok().response == {"RoomId": "show-1"}
    made[2].bare()

    info, metadata, statistic, listed = send(
        app,
        (ENGINE, "get_room_info", {"RoomId": "show-1"}),
        (ENGINE, "get_room_metadata", {"RoomId": "show-1", "Keys": []}),
        (ENGINE, "get_room_statistic", {"RoomId": "show-1"}),
        (ENGINE, "get_room_list", {"Next": "0", "Count": 20, "SortDirection": "descend"}),
    )
    kept = info.ok().response["RoomInfo"]
    given = {name: value for name, value in SHOW.items() if name not in ("MaxMemberCount", "CustomInfo")}
    assert {name: kept[name] for name in given} == given
    assert metadata.ok().response == {"Metadata": [{"Key": "source", "Value": '{"obs":true}'}]}
    assert set(statistic.ok().response.values()) == {0}
    assert [room["RoomId"] for room in listed.ok().response["RoomList"]] == ["show-1"]
    assert listed.response["Next"] == ""

    change = {"RoomId": "show-1", "RoomName": "later", "Notice": "soon", "IsUnlimitedRoomEnabled": True}
    updated, info = send(
        app, (ENGINE, "update_room_info", {"RoomInfo": change}), (ENGINE, "get_room_info", {"RoomId": "show-1"})
    )
    updated.bare()
    assert info.ok().response["RoomInfo"] == {**kept, "RoomName": "later", "Notice": "soon"}

    destroyed, gone = send(
        app, (ENGINE, "destroy_room", {"RoomId": "show-1"}), (ENGINE, "get_room_info", {"RoomId": "show-1"})
    )
    assert set(destroyed.ok().response["Statistic"].values()) == {0}
    gone.refused(100004)


def test_flow_of_muting_banning_and_robots(app, send):
    for reply in send(app, *create_flow()):
        reply.ok()
    room = {"RoomId": "show-1"}
    guests = {**room, "MemberList_Account": ["guest"]}
    robots = {**room, "RobotList_Account": ["robot_0", "robot_1"]}
    replies = send(
        app,
        (ENGINE, "add_robot", robots),
        (LOGIN, "account_import", {"UserID": "guest"}),
        (LOGIN, "multiaccount_import", {"AccountList": [{"UserID": "robot_0", "Nick": "0"}, {"UserID": "robot_1"}]}),
        (ENGINE, "mute_member", {**guests, "MuteTime": 3600}),
        (ENGINE, "get_muted_member_list", {**room, "Offset": 0, "Limit": 100}),
        (ENGINE, "mute_member", {**guests, "MuteTime": 0}),
        (ENGINE, "get_muted_member_list", room),
        (ENGINE, "ban_member", {**guests, "Duration": 600, "Reason": "spam"}),
        (ENGINE, "get_banned_member_list", {**room, "Next": 0}),
        (ENGINE, "unban_member", guests),
        (ENGINE, "get_banned_member_list", {**room, "Next": 0}),
        (ENGINE, "add_robot", robots),
        (ENGINE, "get_robot", room),
        (ENGINE, "del_robot", robots),
        (ENGINE, "get_robot", room),
        (ENGINE, "destroy_room", room),
    )
    replies[0].refused(70107)
    for reply in replies[1:]:
        reply.ok()
    assert replies[2].body["FailAccounts"] == []
    muted, none_muted, banned, none_banned = (replies[n].response for n in (4, 6, 8, 10))
    assert [entry["Member_Account"] for entry in muted["MutedAccountList"]] == ["guest"]
    assert none_muted["MutedAccountList"] == []
    assert [(entry["Member_Account"], entry["Reason"]) for entry in banned["BannedAccountList"]] == [("guest", "spam")]
    assert none_banned["BannedAccountList"] == []
    assert replies[12].response == {"RobotList_Account": ["robot_0", "robot_1"]}
    assert replies[14].response == {"RobotList_Account": []}


def test_flow_of_a_caller_that_takes_100010_as_its_room(backend, app, send):
    first = send(app, *create_flow())
    again = send(app, *create_flow(), (ENGINE, "create_room", {"RoomInfo": {**SHOW, "RoomName": "other"}}))
    assert [reply.code for reply in first] == [0, 0, 0]
    assert [reply.code for reply in again] == [0, 100010, 0, 100010]
    assert app.info("show-1")["RoomName"] == SHOW["RoomName"]
    assert app.metadata("show-1") == {"source": '{"obs":true}'}
    assert backend.show()["RoomCount"] == 1


def test_flow_of_the_room_list(app, send):
    app.login("account_import", {"UserID": "administrator"}).bare()
    app.fill(1, 45)
    found, cursor = [], "0"
    while True:
        (reply,) = send(app, (ENGINE, "get_room_list", {"Next": cursor, "Count": None, "SortDirection": "ascend"}))
        found += [room["RoomId"] for room in reply.ok().response["RoomList"]]
        cursor = reply.response["Next"]
        if not cursor:
            break
    assert found == [f"r{number}" for number in range(45, 0, -1)]


UNSUPPORTED = [
    (ENGINE, "send_text_msg", {"RoomId": "show-1", "Sender_Account": "never imported", "TextContent": "hello"}),
    (ENGINE, "send_custom_msg", {"RoomId": "show-1", "BusinessId": "b", "Data": "d"}),
    (ENGINE, "get_member_list", {"RoomId": "show-1", "Next": 0}),
    (ENGINE, "kick_member", {"RoomId": "show-1", "MemberList_Account": ["guest"]}),
    (ENGINE, "get_gift_list", {}),
    (ENGINE, "add_gift", {}),
    (ENGINE, "del_gift_category", {}),
    (ENGINE, "resume_mcu_task", {}),
    (ENGINE, "create_battle", {}),
    (ENGINE, "get_connection_list", {}),
    (ENGINE, "send_like", {}),
    (ENGINE, "get_follow_list", {}),
    ("room_engine_http_mic", "get_seat_list", {"RoomId": "show-1"}),
    ("room_engine_http_mic", "pick_user_on_seat", {"RoomId": "show-1", "Member_Account": "guest", "Index": 1}),
    ("room_engine_http_mic", "kick_user_off_seat", {"RoomId": "show-1", "Member_Account": "guest"}),
    ("room_engine_http_srv", "create_room", {"RoomInfo": {"RoomId": "show-1", "RoomType": "Conference"}}),
    ("group_open_http_svc", "send_group_msg", {}),
    ("openim", "sendmsg", {}),
    ("sns", "friend_add", {}),
    ("all_member_push", "im_push", {}),
]
UNKNOWN = [
    (ENGINE, "create_rooms", {}),
    (ENGINE, "get_room", {}),
    (ENGINE, "Create_room", {}),
    ("live_engine_http", "create_room", {}),
    ("no_such_service", "create_room", {}),
    (LOGIN, "account_check", {}),
    ("live_config", "reset_callback", {}),
]


def test_calls_that_are_not_supported_are_named_and_others_are_unknown(backend, app, send):
    replies = send(app, *UNSUPPORTED, *UNKNOWN)
    for (_, command, _), reply in zip(UNSUPPORTED, replies):
        reply.refused(60017, f"{command} is not supported")
    for reply in replies[len(UNSUPPORTED) :]:
        reply.refused(60009)
    assert backend.show()["RoomCount"] == 0


@pytest.mark.parametrize("service, command, body", UNSUPPORTED, ids=[f"{row[0]}/{row[1]}" for row in UNSUPPORTED])
def test_who_may_not_call_learns_nothing_of_what_is_supported(app, service, command, body):
    app.rest(command, body, service=service, identifier="alice").refused(60010, "admin account")
    app.rest(command, body, service=service, usersig="nonsense").refused(70003)
    app.rest(command, body, service=service, sdkappid=None).refused(60012)
    app.client.post(f"/v4/{service}/{command}?{app.query()}", None, method="GET").refused(60002, "POST")


# ---- habits ----


def curl(*arguments, body=None):
    """One call with curl: the reply, and its headers as one text."""
    have("curl")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--include", "--max-time", "20", *arguments],
        input=body,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, _, raw = done.stdout.rpartition(b"\r\n\r\n")
    head = head.decode()
    return wire.Reply(int(head.rsplit("HTTP/", 1)[1].split()[1]), raw), head


def room_body(room_id, **fields):
    return json.dumps({"RoomInfo": {"RoomId": room_id, "RoomType": "Live", "Owner_Account": "host", **fields}}).encode()


@pytest.fixture
def create_url(backend, app):
    app.login("account_import", {"UserID": "host"}).bare()
    return f"http://127.0.0.1:{backend.port}/v4/{ENGINE}/create_room?{unescaped(app)}"


TYPES = ["text/plain", "application/x-www-form-urlencoded", "application/json", "application/json; charset=UTF-8", "text/html", ""]


@pytest.mark.parametrize("content_type", TYPES)
def test_any_content_type_is_read_as_json(app, create_url, content_type):
    curl(create_url, "--data-binary", "@-", "--header", f"Content-Type: {content_type}", body=room_body("r"))[0].ok()
    assert app.room_ids() == ["r"]


def test_form_of_a_html_page_is_no_json(app, create_url):
    curl(create_url, "--data", "RoomId=r&RoomType=Live")[0].refused(60003, "body")
    curl(create_url, "--form", "RoomId=r")[0].refused(60003, "body")
    assert app.room_ids() == []


def test_compressed_replies_may_be_asked_for(app, create_url):
    app.login("account_import", {"UserID": "administrator"}).bare()
    app.fill(1, 20)
    url = create_url.replace("create_room", "get_room_list")
    for encoding in ("gzip", "gzip, deflate, br", "*", "identity;q=0", "gzip;q=1.0, *;q=0"):
        reply, head = curl(url, "--data", "{}", "--header", f"Accept-Encoding: {encoding}")
        assert "content-encoding" not in head.lower()
        assert len(reply.ok().response["RoomList"]) == 20
    assert len(curl(url, "--data", "{}", "--compressed")[0].ok().response["RoomList"]) == 20


def test_call_through_a_proxy_has_an_absolute_target(backend, app, create_url):
    """curl believes the backend to be a proxy, and so sends the whole URL; the name in it is never looked up."""
    parts = urllib.parse.urlsplit(create_url)
    target = urllib.parse.urlunsplit(parts._replace(netloc="console.tim.qq.com"))
    curl(target, "--proxy", f"http://127.0.0.1:{backend.port}", "--data-binary", "@-", body=room_body("r"))[0].ok()
    assert app.room_ids() == ["r"]


def test_expect_100_continue(app, create_url):
    body = room_body("r", CustomInfo="x" * 3000)
    expect = ["--header", "Expect: 100-continue", "--expect100-timeout", "15"]
    reply, head = curl(create_url, "--data-binary", "@-", *expect, body=body)
    reply.ok()
    assert head.startswith("HTTP/1.1 100 Continue\r\n")
    assert app.room_ids() == ["r"]


def test_chunked_body(app, create_url):
    curl(create_url, "--data-binary", "@-", "--header", "Transfer-Encoding: chunked", body=room_body("one"))[0].ok()
    parts = urllib.parse.urlsplit(create_url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    body = room_body("two")
    for pieces in ([body], [body[:1], body[1:7], body[7:]], [bytes([byte]) for byte in body]):
        connection.request("POST", f"{parts.path}?{parts.query}", iter(pieces), encode_chunked=True)
        answer = connection.getresponse()
        assert wire.Reply(answer.status, answer.read()).code in (0, 100010)
    connection.close()
    assert app.room_ids() == ["two", "one"]


def test_connection_close_on_every_call(app, create_url):
    for number in range(20):
        reply, head = curl(create_url, "--data-binary", "@-", "--header", "Connection: close", body=room_body(f"r{number}"))
        reply.ok()
        assert "connection: close" in head.lower()
    assert len(app.room_ids()) == 20


def test_http_1_0_with_and_without_keep_alive(backend, app, create_url):
    for number, header in enumerate(("Connection: keep-alive", "Connection: close", "Connection:")):
        curl(create_url, "--http1.0", "--data-binary", "@-", "--header", header, body=room_body(f"c{number}"))[0].ok()
    parts = urllib.parse.urlsplit(create_url)
    with wire.Raw(backend.port) as raw:
        for number in range(3):
            body = room_body(f"r{number}")
            raw.send(
                f"POST {parts.path}?{parts.query} HTTP/1.0\r\nConnection: keep-alive\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode(),
                body,
            )
            reply = raw.reply()
            assert reply, "the connection was to be kept"
            reply.ok()
    assert app.room_ids() == ["r2", "r1", "r0", "c2", "c1", "c0"]


def test_long_keep_alive(backend, app, create_url):
    """Five hundred calls, one connection."""
    parts = urllib.parse.urlsplit(create_url)
    path = f"{parts.path}?{parts.query}".replace("create_room", "get_room_statistic")
    app.rest("create_room", room_body("r")).ok()
    with wire.Raw(backend.port) as raw:
        for _ in range(500):
            raw.send(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 14\r\n\r\n".encode() + b'{"RoomId":"r"}')
            raw.reply().ok()


def test_header_names_in_any_case_and_headers_nobody_knows(backend, app, create_url):
    parts = urllib.parse.urlsplit(create_url)
    body = room_body("r")
    with wire.Raw(backend.port) as raw:
        raw.send(
            f"POST {parts.path}?{parts.query} HTTP/1.1\r\nhOST: console.tim.qq.com\r\nUSER-AGENT: x\r\nCookie: a=b\r\n"
            f"X-Requested-With: XMLHttpRequest\r\nAccept: */*\r\ncontent-LENGTH: {len(body)}\r\n\r\n".encode(),
            body,
        )
        raw.reply().ok()
    assert app.room_ids() == ["r"]


@pytest.mark.parametrize("value", ["1739966441121", "0", "4294967295", "4294967296", "-1", "1e9", "", "x"])
def test_random_may_be_anything(app, value):
    app.rest("get_room_list", {}, random=value).ok()


@pytest.mark.parametrize("body", [
    {"Next": "", "Count": 20},
    {"Next": "0", "Count": 20},
    {"Next": "0"},
    {"Next": "", "Count": None},
    {"Next": None, "Count": None},
    {"Next": "0", "Count": 20, "SortDirection": "ascend"},
    {},
], ids=range(7))  # fmt: skip
def test_first_page_is_asked_for_in_many_ways(app, body):
    app.login("account_import", {"UserID": "administrator"}).bare()
    app.fill(1, 3)
    answer = app.rest("get_room_list", body).ok().response
    assert ([room["RoomId"] for room in answer["RoomList"]], answer["Next"]) == (["r3", "r2", "r1"], "")


def test_body_of_a_pretty_printer(app, create_url):
    body = json.dumps(json.loads(room_body("r", RoomName="\u76f4\u64ad")), indent=4, ensure_ascii=False).replace("\n", "\r\n")
    curl(create_url, "--data-binary", "@-", body=f" \t\r\n{body}\r\n".encode())[0].ok()
    assert app.info("r")["RoomName"] == "\u76f4\u64ad"
