"""Bad input: each gets its documented code, changes nothing, and the server lives on.

The fixture `steady` looks after each test whether the same process still answers, and rooms and counts are as they were.
Sizes, times and connections are in test_bad_peers.py.
"""

import base64
import json
import random
import time
import urllib.parse
import zlib

import pytest

import wire

LIST = "/v4/live_engine_http_srv/get_room_list"
CREATE = "/v4/live_engine_http_srv/create_room"


def post(app, query, body=None, path=LIST):
    return app.client.post(f"{path}?{query}", {} if body is None else body)


# ---- the URL ----


@pytest.mark.parametrize("path", ["/", "/v4", "/v4/live_engine_http_srv", "/v4/live_engine_http_srv/get_room_list/",
                                  "/v4/live_engine_http_srv/kick", "/V4/live_engine_http_srv/get_room_list", "//",
                                  "/v4/live_engine_http_srv/../live_engine_http_srv/get_room_list", "/%2e%2e", "/manage/v1",
                                  "/v4/live_engine_http_srv%2Fget_room_list"])  # fmt: skip
def test_unknown_command(steady, path):
    post(steady, steady.query(), path=path).refused(60009)


@pytest.mark.parametrize("name", ["%C3%A9", "a" * 200, "\\", '"', "%00"])
def test_call_that_is_not_supported_is_named_only_where_it_can_be(steady, name):
    reply = post(steady, steady.query(), path=f"/v4/openim/{name}").refused(60017, "messages")
    assert ("this call" in reply.info) == (len(name) > 80), reply.info


def test_call_that_is_not_supported_with_bytes_that_are_no_text(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(b"POST /v4/openim/\xff\xfe?" + steady.query().encode() + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        raw.reply().refused(60017, "this call")


def test_missing_sdkappid(steady):
    post(steady, steady.query(sdkappid=None)).refused(60012, "sdkappid")


@pytest.mark.parametrize("value", ["", "0", "-1", "+1400000001", "1400000001x", "x", "1400000001.0", "4294967296", " 1400000001",
                                   "1400000001 ", "0x53724E01", "9" * 40, "\u0661"])  # fmt: skip
def test_sdkappid_that_is_none(steady, value):
    post(steady, steady.query(sdkappid=value)).refused(60006)


@pytest.mark.smoke
def test_unknown_sdkappid(steady):
    post(steady, steady.query(sdkappid=1400000009)).refused(70020)


@pytest.mark.parametrize("first, second", [("1400000001", "1400000001"), ("1400000001", "1400000002"), ("", "1400000001")])
def test_duplicate_sdkappid(steady, first, second):
    query = steady.query(sdkappid=None) + f"&sdkappid={first}&sdkappid={second}"
    assert post(steady, query).code in (60002, 60006)


@pytest.mark.parametrize("name", ["identifier", "usersig"])
def test_duplicate_of_what_decides(steady, name):
    post(steady, steady.query() + f"&{name}=x").refused(60002)


def test_missing_identifier_and_usersig(steady):
    for value in (None, ""):
        post(steady, steady.query() if value else steady.query(usersig=value)).refused(60005, "usersig")
        query = urllib.parse.urlencode([(k, v) for k, v in urllib.parse.parse_qsl(steady.query()) if k != "identifier"])
        post(steady, query + ("" if value is None else "&identifier=")).refused(60004, "identifier")


@pytest.mark.parametrize("identifier", ["x" * 33, "a b", "a\tb", "caf\u00e9", "a\nb", "x" * 4000])
def test_identifier_that_is_none(steady, identifier):
    query = steady.query()
    query = query.replace("identifier=administrator", "identifier=" + urllib.parse.quote(identifier))
    assert post(steady, query).code in (60025, 60002)


@pytest.mark.parametrize("piece", ["%", "%4", "%zz", "%00", "a=%00", "=", "&&&", "a" * 300])
def test_broken_query(steady, piece):
    reply = post(steady, steady.query() + "&" + piece)
    assert reply.status in (200, 400), reply.raw
    assert reply.status == 400 or reply.code in (0, 60002)


def test_nul_in_what_decides(steady):
    post(steady, steady.query().replace("administrator", "administrator%00")).refused(60002)


def test_hundreds_of_parameters(steady):
    query = steady.query() + "".join(f"&p{n}=1" for n in range(500))
    assert post(steady, query).code in (0, 60002)


def test_no_query_at_all(steady):
    steady.client.post(LIST, {}).refused(60012)
    steady.client.post(LIST + "?", {}).refused(60012)


def test_wrong_contenttype(steady):
    post(steady, steady.query(contenttype="xml")).refused(60025)


# ---- the UserSig ----


def pack(facts):
    packed = base64.b64encode(zlib.compress(json.dumps(facts).encode())).decode()
    return packed.replace("+", "*").replace("/", "-").replace("=", "_")


def facts_of(app, **changes):
    sig = wire.usersig(app.sdkappid, "administrator", app.key)
    text = zlib.decompress(base64.b64decode(sig.replace("*", "+").replace("-", "/").replace("_", "=")))
    return {**json.loads(text), **changes}


@pytest.mark.smoke
def test_usersig_of_another_key(steady):
    sig = wire.usersig(steady.sdkappid, "administrator", "some other key")
    post(steady, steady.query(usersig=sig)).refused(70009)


def test_usersig_expired(steady):
    now = int(time.time())
    expired = wire.usersig(steady.sdkappid, "administrator", steady.key, expire=60, now=now - 120)
    post(steady, steady.query(usersig=expired)).refused(70001, "expired")
    good = wire.usersig(steady.sdkappid, "administrator", steady.key, expire=180, now=now - 120)
    post(steady, steady.query(usersig=good)).ok()


def test_usersig_that_was_good_expires(backend, steady):
    sig = wire.usersig(steady.sdkappid, "administrator", steady.key, expire=1)
    post(steady, steady.query(usersig=sig)).ok()
    wire.wait(lambda: post(steady, steady.query(usersig=sig)).code == 70001, 10, "the UserSig to expire")


def test_usersig_of_another_app(backend, steady):
    other = backend.app(sdkappid=1400000002, Key=steady.key)
    sig = wire.usersig(other.sdkappid, "administrator", other.key)
    post(other, other.query()).ok()
    post(steady, steady.query(usersig=sig)).refused(70014)


def test_usersig_of_another_identifier(steady):
    sig = wire.usersig(steady.sdkappid, "alice", steady.key)
    post(steady, steady.query(usersig=sig)).refused(70013)
    path = "/v4/live_client/create_room"
    body = {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}
    post(steady, steady.query("bob", usersig=sig), body, path).refused(70013)


def test_claims_changed_after_signing(steady):
    now = int(time.time())
    for change in ({"TLS.expire": 999999999}, {"TLS.time": now + 5}, {"TLS.userbuf": "YWJj"}):
        post(steady, steady.query(usersig=pack(facts_of(steady, **change)))).refused(70009)


def test_public_clients_wrong_signature_is_refused(steady):
    now = int(time.time())
    facts = facts_of(steady, **{"TLS.time": now})
    facts["TLS.sig"] = facts["TLS.sig"].replace("+", "*").replace("/", "-").replace("=", "_")
    assert post(steady, steady.query(usersig=pack(facts))).code in (70003, 70009)


@pytest.mark.parametrize("cut", [1, 4, 10, 100])
def test_usersig_truncated(steady, cut):
    sig = wire.usersig(steady.sdkappid, "administrator", steady.key)
    post(steady, steady.query(usersig=sig[:-cut])).refused(70003)


def deep():
    return base64.b64encode(zlib.compress(b"[" * 100000)).decode().replace("+", "*").replace("/", "-").replace("=", "_")


ILLEGAL = {
    "text": lambda app: "hello",
    "one": lambda app: "x",
    "spaces": lambda app: " " * 20,
    "not zlib": lambda app: base64.b64encode(b"not zlib at all").decode().replace("=", "_"),
    "no json": lambda app: pack("text"),
    "list": lambda app: pack([1, 2]),
    "empty": lambda app: pack({}),
    "version": lambda app: pack(facts_of(app, **{"TLS.ver": "1.0"})),
    "no sig": lambda app: pack({k: v for k, v in facts_of(app).items() if k != "TLS.sig"}),
    "sig type": lambda app: pack(facts_of(app, **{"TLS.sig": 5})),
    "time type": lambda app: pack(facts_of(app, **{"TLS.time": "now"})),
    "time huge": lambda app: pack(facts_of(app, **{"TLS.time": 10**30})),
    "expire negative": lambda app: pack(facts_of(app, **{"TLS.expire": -1})),
    "identifier list": lambda app: pack(facts_of(app, **{"TLS.identifier": ["administrator"]})),
    "bomb": lambda app: pack({"TLS.ver": "2.0", "x": "a" * 3000000}),
    "deep": lambda app: deep(),
    "oversized": lambda app: pack(facts_of(app, x=base64.b64encode(random.Random(1).randbytes(4000)).decode())),
    "trailing": lambda app: base64.b64encode(zlib.compress(b"{}") + b"more").decode().replace("=", "_"),
    "unicode": lambda app: "\u76f4\u64ad" * 20,
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_usersig_that_is_none(steady, name):
    post(steady, steady.query(usersig=ILLEGAL[name](steady))).refused(70003)


def test_times_at_the_end_of_64_bits(steady):
    edge = 2**63 - 1
    for now, expire in ((edge, edge), (0, edge), (edge, 0), (1, edge)):
        sig = wire.usersig(steady.sdkappid, "administrator", steady.key, expire=expire, now=now)
        assert post(steady, steady.query(usersig=sig)).code in (0, 70003)


# ---- who may ----


@pytest.mark.smoke
@pytest.mark.parametrize("command", ["create_room", "destroy_room", "get_room_info", "get_room_list"])
def test_user_on_rest_needs_an_admin_account(steady, command):
    body = {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}, "RoomId": "a"}
    reply = steady.rest(command, body, identifier="alice")
    reply.refused(60010, "admin account")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "bearer "])
def test_management_needs_the_admin_token(backend, steady, authorization):
    if authorization == "bearer ":
        authorization += backend.token[:-1]
    headers = {} if authorization is None else {"Authorization": authorization}
    for command in ("app_create", "app_show", "app_list", "app_set", "app_delete", "callback_list"):
        reply = steady.client.post(f"/manage/v1/{command}", {"SdkAppid": 1400000001, "MaxRoomCount": 1}, headers)
        reply.refused(60010, "admin token")


def test_a_usersig_is_no_admin_token(steady):
    steady.client.post(f"/manage/v1/app_list?{steady.query()}", {}).refused(60010)


# ---- the body ----


BODIES = {
    "empty": b"",
    "space": b" \n\t ",
    "text": b"hello",
    "cut": b'{"RoomInfo":{"RoomId":"r"',
    "comma": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live",}}',
    "comment": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}} // room',
    "single quotes": b"{'RoomInfo':{'RoomId':'r','RoomType':'Live'}}",
    "two values": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}{}',
    "array": b'[{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}]',
    "string": b'"RoomInfo"',
    "number": b"1",
    "null": b"null",
    "nan": b'{"RoomInfo":NaN}',
    "nested arrays": b"[" * 10000 + b"]" * 10000,
    "nested objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "nested in a field": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live","x":' + b"[" * 10000 + b"]" * 10000 + b"}}",
    "unclosed": b"[" * 60000,
    "utf-8 broken": b'{"RoomInfo":{"RoomId":"\xff\xfe","RoomType":"Live"}}',
    "utf-8 overlong": b'{"RoomInfo":{"RoomId":"\xc0\xaf","RoomType":"Live"}}',
    "utf-8 surrogate": b'{"RoomInfo":{"RoomId":"\xed\xa0\x80","RoomType":"Live"}}',
    "lone surrogate": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live","RoomName":"\\ud800"}}',
    "escaped nul": b'{"RoomInfo":{"RoomId":"r\\u0000","RoomType":"Live"}}',
    "raw nul": b'{"RoomInfo":{"RoomId":"r\x00","RoomType":"Live"}}',
    "nul behind": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}\x00',
    "raw newline": b'{"RoomInfo":{"RoomId":"r\n","RoomType":"Live"}}',
    "bom": b'\xef\xbb\xbf{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}',
    "utf-16": '{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}'.encode("utf-16"),
    "same key twice": b'{"RoomInfo":{"RoomId":"r","RoomId":"q","RoomType":"Live"}}',
    "same object twice": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"},"RoomInfo":{}}',
    "integer too big": b'{"RoomInfo":{"RoomId":"r","RoomType":"Live","MaxSeatCount":99999999999999999999}}',
    "form": b"RoomId=r&RoomType=Live",
    "random": random.Random(7).randbytes(5000),
}


@pytest.mark.parametrize("name", BODIES)
def test_body_that_is_no_json_object(steady, name):
    post(steady, steady.query(), BODIES[name], CREATE).refused(60003, "body")


FIELDS = [
    (b'"MaxSeatCount":-1', "MaxSeatCount"),
    (b'"MaxSeatCount":1e3', "MaxSeatCount"),
    (b'"MaxSeatCount":-9223372036854775808', "MaxSeatCount"),
    (b'"MaxSeatCount":9223372036854775807', "MaxSeatCount"),
    (b'"MaxMemberCount":2147483648', "MaxMemberCount"),
    (b'"ActivityStatus":0.0', "ActivityStatus"),
    (b'"Category":[1,2,3,4]', "Category"),
    (b'"Category":[[1]]', "Category"),
    (b'"RoomName":"' + b"n" * 101 + b'"', "RoomName"),
    (b'"RoomName":"' + "\u00e9".encode() * 51 + b'"', "RoomName"),
    (b'"RoomName":"a\\u0001b"', "RoomName"),
    (b'"RoomName":"a\\nb"', "RoomName"),
    (b'"RoomName":"a\\u007fb"', "RoomName"),
    (b'"RoomName":{}', "RoomName"),
    (b'"CoverURL":"' + b"c" * 201 + b'"', "CoverURL"),
    (b'"CoverURL":"' + b"c" * 60000 + b'"', "CoverURL"),
    (b'"Owner_Account":"' + b"o" * 33 + b'"', "Owner_Account"),
    (b'"Owner_Account":"a b"', "Owner_Account"),
    (b'"Owner_Account":144115233775727695', "Owner_Account"),
    (b'"TakeSeatMode":"|"', "TakeSeatMode"),
    (b'"TakeSeatMode":""', "TakeSeatMode"),
    (b'"SeatTemplate":"Karaoke|AudioSalon"', "SeatTemplate"),
]


@pytest.mark.parametrize("field, named", FIELDS, ids=[str(number) for number in range(len(FIELDS))])
def test_field_of_a_room_that_is_wrong(steady, field, named):
    body = b'{"RoomInfo":{"RoomId":"r","RoomType":"Live",' + field + b"}}"
    post(steady, steady.query(), body, CREATE).refused(100002, named)


def test_room_id_that_exists(steady):
    steady.create("a").refused(100010, "RoomId")
    steady.create("a", Owner_Account="alice").refused(100003, "RoomId")
    steady.create_as("a", "alice", "Web").refused(100003, "RoomId")


@pytest.mark.smoke
def test_quota_full(backend, steady):
    backend.manage("app_set", {"SdkAppid": steady.sdkappid, "MaxRoomCount": 3}).ok()
    steady.create("d").refused(100013, "3 rooms", "maximum is 3")
    steady.create_as("e", "alice", "Web").refused(100013, "3 rooms", "maximum is 3")


URLS = {
    "ftp": "ftp://example.com/",
    "file": "file:///etc/passwd",
    "javascript": "javascript:alert(1)",
    "no scheme": "example.com/callback",
    "no host": "http:///callback",
    "only scheme": "https://",
    "user": "http://user@example.com/",
    "password": "https://user:secret@example.com/",
    "fragment": "https://example.com/#x",
    "newline": "http://example.com/a\r\nHost: other",
    "space": "http://example.com/a b",
    "tab": "http://example.com/\t",
    "nul": "http://example.com/\x00",
    "unicode": "http://ex\u00e4mple.com/",
    "port zero": "http://example.com:0/",
    "port large": "http://example.com:65536/",
    "port text": "http://example.com:http/",
    "too long": "http://example.com/" + "x" * 1010,
    "empty": "",
    "number": 5,
    "list": ["http://example.com"],
}


@pytest.mark.parametrize("command", ["set_callback", "update_callback"])
@pytest.mark.parametrize("name", URLS)
def test_callback_url_that_is_none(steady, command, name):
    reply = steady.config(command, {"Url": URLS[name], "CallbackCommandList": [wire.ALERT]})
    if name == "nul":
        reply.refused(60003)
    else:
        reply.refused(100002, "Url")
    assert "secret" not in reply.info
    steady.config("get_callback", {}).refused(100301)


MANAGED = [
    ("app_create", {}, "SdkAppid"),
    ("app_create", {"SdkAppid": 0}, "SdkAppid"),
    ("app_create", {"SdkAppid": -1}, "SdkAppid"),
    ("app_create", {"SdkAppid": 4294967296}, "SdkAppid"),
    ("app_create", {"SdkAppid": "5"}, "SdkAppid"),
    ("app_create", {"SdkAppid": 1400000001}, "exists"),
    ("app_create", {"SdkAppid": 5, "MaxRoomCount": -1}, "MaxRoomCount"),
    ("app_create", {"SdkAppid": 5, "MaxRoomCount": 1000000001}, "MaxRoomCount"),
    ("app_create", {"SdkAppid": 5, "Key": "short"}, "Key"),
    ("app_create", {"SdkAppid": 5, "Key": "k" * 5000}, "Key"),
    ("app_create", {"SdkAppid": 5, "Admins": ["a b"]}, "Admins"),
    ("app_create", {"SdkAppid": 5, "Admins": ["a"] * 11}, "Admins"),
    ("app_create", {"SdkAppid": 5, "Admins": [5]}, "Admins"),
    ("app_create", {"SdkAppid": 5, "AlertMode": "never"}, "AlertMode"),
    ("app_create", {"SdkAppid": 5, "Thresholds": []}, "Thresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": [0]}, "Thresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": [101]}, "Thresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": [70, 70]}, "hresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": [80, 70]}, "hresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": [70.5]}, "Thresholds"),
    ("app_create", {"SdkAppid": 5, "Thresholds": list(range(1, 10))}, "Thresholds"),
    ("app_create", {"SdkAppid": 5, "RearmMargin": 51}, "RearmMargin"),
    ("app_create", {"SdkAppid": 5, "StepPercent": 0}, "StepPercent"),
    ("app_create", {"SdkAppid": 5, "CallbackOverwrite": 1}, "CallbackOverwrite"),
    ("app_create", {"SdkAppid": 5, "Key": "k\u00e4se und brot"}, "key"),
    ("app_create", {"SdkAppid": 5, "AccountsRequired": "on"}, "AccountsRequired"),
    ("app_set", {"SdkAppid": 1400000001}, "nothing to set"),
    ("app_set", {"SdkAppid": 1400000001, "Thresholds": [80, 70]}, "hresholds"),
    ("app_set", {"SdkAppid": 1400000001, "Key": "short"}, "Key"),
    ("app_set", {"SdkAppid": 1400000001, "AccountsRequired": 1}, "AccountsRequired"),
    ("app_key_rotate", {}, "SdkAppid"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Key": "short"}, "Key"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Key": "k" * 129}, "Key"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Key": "k\u00e4se und brot"}, "key"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Key": "tab\tinside"}, "Key"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Key": 12345678}, "Key"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Overlap": -1}, "Overlap"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Overlap": 31536001}, "Overlap"),
    ("app_key_rotate", {"SdkAppid": 1400000001, "Overlap": "1d"}, "Overlap"),
    ("app_key_revoke", {"SdkAppid": 1400000001}, "KeyId"),
    ("app_key_revoke", {"SdkAppid": 1400000001, "KeyId": 0}, "KeyId"),
    ("app_key_revoke", {"SdkAppid": 1400000001, "KeyId": 2}, "KeyId"),
    ("app_key_revoke", {"SdkAppid": 1400000001, "KeyId": 4294967297}, "KeyId"),
    ("app_key_revoke", {"SdkAppid": 1400000001, "KeyId": "1"}, "KeyId"),
    ("app_set", {"SdkAppid": 1400000001, "MaxRoomCount": "3"}, "MaxRoomCount"),
    ("app_delete", {"SdkAppid": 1400000001}, "3 rooms"),
    ("app_delete", {"SdkAppid": 1400000001, "Force": True}, "3 rooms"),
    ("app_delete", {"SdkAppid": 1400000001, "Force": "yes"}, "Force"),
    ("callback_list", {"SdkAppid": 1400000001, "Count": 0}, "Count"),
    ("callback_list", {"SdkAppid": 1400000001, "Count": 101}, "Count"),
    ("callback_list", {"SdkAppid": 1400000001, "Next": -1}, "Next"),
    ("callback_list", {"SdkAppid": 1400000001, "Next": 2**62}, "Next"),
    ("app_list", {"Next": "x"}, "Next"),
]


@pytest.mark.parametrize("command, body, named", MANAGED, ids=[f"{n}-{row[0]}" for n, row in enumerate(MANAGED)])
def test_management_call_that_is_wrong(backend, steady, command, body, named):
    backend.manage(command, body).refused(100002, named)
    assert [app["SdkAppid"] for app in backend.manage("app_list", {}).ok().response["AppList"]] == [1400000001]


def test_management_of_an_unknown_app(backend, steady):
    for command in ("app_show", "app_set", "app_delete", "app_key_rotate", "app_key_revoke", "callback_list"):
        backend.manage(command, {"SdkAppid": 77, "MaxRoomCount": 5, "KeyId": 1}).refused(70020)
