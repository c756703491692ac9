"""`highwater apply` and `app export`: what differs is shown and made, twice is once, wrong files change nothing."""

import copy
import http.client
import http.server
import json
import pathlib
import subprocess
import threading

import jsonschema
import pytest

import wire
from conftest import BINARY, run

DONE, REFUSED, USAGE, IO = 0, 1, 2, 3
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "apply.schema.json").read_text())
EXAMPLE = ROOT / "examples" / "apps.json"
FIRST, SECOND, THIRD = 1400000001, 1400000002, 1400000003
URL = "https://app.example.com/callback"
ALERT = wire.ALERT
TOKEN = "a callback token"


@pytest.fixture
def cli(backend):
    """Runs a command against the backend."""

    def call(*arguments, stdin=None, env=None, status=DONE):
        ended = run(*arguments, "--server", f"http://127.0.0.1:{backend.port}", "--admin-token-file",
                    str(backend.data / "admin-token"), stdin=stdin, env=env)  # fmt: skip
        assert ended.returncode == status, ended
        return ended

    return call


@pytest.fixture
def apply(cli, tmp_path):
    """Applies these apps."""

    def call(apps, *arguments, status=DONE, env=None):
        path = tmp_path / "apps.json"
        path.write_text(json.dumps({"Version": 1, "Apps": apps}))
        return cli("apply", str(path), *arguments, status=status, env=env)

    return call


def full(sdkappid=FIRST, **fields):
    return {"SdkAppid": sdkappid, "MaxRoomCount": 100, "AlertMode": "step", "Thresholds": [60, 80], "RearmMargin": 3,
            "StepPercent": 7, "Admins": ["ops", "administrator"], "CallbackOverwrite": True, "AccountsRequired": True,
            "CallbackUrl": URL, "CallbackCommandList": [ALERT, "Live.CallbackAfterCreateRoom"], **fields}  # fmt: skip


def audits(backend):
    return len(backend.manage("audit_list", {}).ok().response["AuditList"])


# ---- creating and changing ----


def test_every_field_is_made_and_a_second_run_changes_nothing(backend, apply):
    ended = apply([full(TokenVariable="T")], env={"T": TOKEN})
    assert ended.stdout.startswith(f"+ app {FIRST}\n") and "1 created, 0 changed, 0 deleted, 0 as" in ended.stdout
    shown = backend.show()
    for name, value in full().items():
        if name != "CallbackCommandList":
            assert shown[name] == value, name
    assert set(shown["CallbackCommandList"]) == set(full()["CallbackCommandList"]) and shown["IsTokenEnable"] is True
    before = audits(backend)
    again = apply([full(TokenVariable="T")], env={"T": TOKEN})
    assert again.stdout == "0 created, 0 changed, 0 deleted, 1 as the file says\n"
    assert audits(backend) == before and backend.show() == shown


CHANGES = [
    ("MaxRoomCount", 200, "~ MaxRoomCount 100 -> 200"),
    ("MaxRoomCount", 0, "~ MaxRoomCount 100 -> 0"),
    ("AlertMode", "edge", "~ AlertMode step -> edge"),
    ("Thresholds", [60, 80, 95], "~ Thresholds 60,80 -> 60,80,95"),
    ("RearmMargin", 0, "~ RearmMargin 3 -> 0"),
    ("StepPercent", 50, "~ StepPercent 7 -> 50"),
    ("Admins", ["ops"], "~ Admins ops,administrator -> ops"),
    ("Admins", [], "- Admins ops,administrator"),
    ("CallbackOverwrite", False, "~ CallbackOverwrite true -> false"),
    ("AccountsRequired", False, "~ AccountsRequired true -> false"),
    ("CallbackUrl", "http://other.example:81/x", f"~ CallbackUrl {URL} -> http://other.example:81/x"),
    ("CallbackCommandList", [], "- CallbackCommandList Live.CallbackAfterCreateRoom,"),
    ("CallbackCommandList", [ALERT], f"-> {ALERT}"),
]


@pytest.mark.parametrize("field, value, said", CHANGES, ids=[f"{row[0]}={row[1]}" for row in CHANGES])
def test_one_field_is_shown_and_changed_alone(backend, apply, field, value, said):
    apply([full()])
    before = backend.show()
    ended = apply([full(**{field: value})])
    lines = ended.stdout.splitlines()
    assert lines[0] == f"~ app {FIRST}" and said in lines[1] and len(lines) == 3
    after = backend.show()
    assert after.pop(field) == value and before.pop(field) != value
    assert after == before


def test_what_is_not_given_stays(backend, apply):
    apply([full()])
    before = backend.show()
    assert "1 as the file says" in apply([{"SdkAppid": FIRST}]).stdout
    apply([{"SdkAppid": FIRST, "MaxRoomCount": 7}])
    assert backend.show() == {**before, "MaxRoomCount": 7}


def test_dry_run_changes_nothing_and_tells_by_exit_code_only_when_asked(backend, apply):
    apply([full()])
    before, rows = backend.show(), audits(backend)
    wanted = [full(MaxRoomCount=200, CallbackUrl=""), {"SdkAppid": SECOND}]
    del wanted[0]["CallbackCommandList"]
    ended = apply(wanted, "--dry-run", "--prune")
    assert "~ MaxRoomCount 100 -> 200" in ended.stdout and f"- CallbackUrl {URL}" in ended.stdout
    assert f"+ app {SECOND}" in ended.stdout and "nothing was changed; would be: 1 created, 1 changed" in ended.stdout
    apply(wanted, "--dry-run", "--exit-code", status=REFUSED)
    apply([full()], "--dry-run", "--exit-code")
    assert backend.show() == before and audits(backend) == rows
    assert "--exit-code needs --dry-run" in apply(wanted, "--exit-code", status=USAGE).stderr


def test_callbacks_are_cleared_and_the_token_stays(backend, apply):
    apply([full(TokenVariable="T")], env={"T": TOKEN})
    apply([{"SdkAppid": FIRST, "CallbackUrl": ""}])
    shown = backend.show()
    assert shown["CallbackUrl"] == "" and shown["CallbackCommandList"] == [] and shown["IsTokenEnable"] is True
    assert "1 as the file says" in apply([{"SdkAppid": FIRST, "CallbackUrl": ""}]).stdout


# ---- tokens and keys ----


def token_of(backend):
    app = wire.App(backend.client(), FIRST, backend.manage("app_show", {"SdkAppid": FIRST, "RevealKey": True}).ok().response["Key"])
    return app.config("get_callback_token", {}).ok().response


def test_token_from_file_is_compared_changed_and_never_shown(backend, apply, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    wanted = [full(TokenFile="token", Admins=["administrator"])]
    said = [apply(wanted, "--dry-run"), apply(wanted), apply(wanted, "--json")]
    assert "+ Token (is not shown)" in said[0].stdout and json.loads(said[2].stdout)["Same"] == 1
    assert token_of(backend) == {"Token": TOKEN, "IsTokenEnable": True}
    (tmp_path / "token").write_text("another token\n")
    said += [apply(wanted, "--dry-run", "--json"), apply(wanted)]
    assert "~ Token (is not shown)" in said[-1].stdout
    assert token_of(backend)["Token"] == "another token"
    said.append(apply([full(IsTokenEnable=False, Admins=["administrator"])]))
    assert "~ IsTokenEnable true -> false" in said[-1].stdout
    assert token_of(backend) == {"Token": "another token", "IsTokenEnable": False}
    for ended in said:
        assert TOKEN not in ended.stdout + ended.stderr and "another token" not in ended.stdout + ended.stderr
    assert TOKEN not in backend.log() and "another token" not in backend.log()


def test_token_that_cannot_be_compared_is_set(backend, apply):
    wanted = [full(TokenVariable="T", Admins=[])]
    apply(wanted, env={"T": TOKEN})
    ended = apply(wanted, env={"T": TOKEN})
    assert "cannot be compared, so it is set" in ended.stdout


def test_token_switch_of_a_new_app_without_token_is_refused_before_anything_is_done(backend, apply):
    ended = apply([{"SdkAppid": SECOND}, full(IsTokenEnable=True)], status=USAGE)
    assert "Apps[1].IsTokenEnable" in ended.stderr
    assert backend.manage("app_list", {}).ok().response["AppList"] == []


def test_key_is_that_of_a_new_app_and_left_alone_later(backend, apply, tmp_path):
    (tmp_path / "key").write_text("0123456789abcdef\n")
    ended = apply([{"SdkAppid": FIRST, "KeyFile": "key"}])
    assert "0123456789abcdef" not in ended.stdout and "made keys" not in ended.stdout
    (tmp_path / "key").write_text("another-key-0123\n")
    assert "1 as the file says" in apply([{"SdkAppid": FIRST, "KeyFile": "key"}]).stdout
    shown = backend.manage("app_show", {"SdkAppid": FIRST, "RevealKey": True}).ok().response
    assert shown["Key"] == "0123456789abcdef"


def test_query_of_a_url_is_not_shown(apply):
    said = apply([full(CallbackUrl=URL + "?key=in-the-query")]).stdout
    said += apply([full(CallbackUrl=URL + "?key=in-the-query-too")]).stdout
    said += apply([full(CallbackUrl=URL + "?key=in-the-query")], "--json").stdout
    assert "in-the-query" not in said and "(what differs is not shown)" in said


# ---- pruning ----


def test_prune_deletes_what_is_not_in_the_file_and_only_then(backend, apply):
    apply([full(), {"SdkAppid": SECOND}, {"SdkAppid": THIRD}])
    ended = apply([{"SdkAppid": SECOND}])
    assert "2 of the server's apps are not in the file and stay" in ended.stdout
    ended = apply([{"SdkAppid": SECOND}], "--prune")
    assert ended.stdout.startswith(f"- app {FIRST}\n- app {THIRD}\n0 created, 0 changed, 2 deleted, 1 as the file says")
    assert [app["SdkAppid"] for app in backend.manage("app_list", {}).ok().response["AppList"]] == [SECOND]


def test_app_with_rooms_is_not_pruned_and_the_others_go_on(backend, apply):
    backend.app(FIRST).create("r").ok()
    backend.app(THIRD)
    ended = apply([{"SdkAppid": SECOND}], "--prune", "--dry-run")
    assert f"- app {FIRST}\n    it has 1 rooms and 0 waiting callbacks: the server refuses" in ended.stdout
    assert f"- app {THIRD}\n+ app" not in ended.stdout and f"- app {THIRD}\ndry run" in ended.stdout
    ended = apply([{"SdkAppid": SECOND}], "--prune", status=REFUSED)
    assert f"app {FIRST}: app_delete was refused (100002): the app still has 1 rooms" in ended.stderr
    assert "1 created, 0 changed, 1 deleted, 0 as the file says, 1 failed" in ended.stdout
    assert [app["SdkAppid"] for app in backend.manage("app_list", {}).ok().response["AppList"]] == [FIRST, SECOND]


# ---- others at the same time, failures ----


def test_many_apps_over_pages_in_any_order(backend, apply):
    apps = [{"SdkAppid": FIRST + number, "MaxRoomCount": number} for number in range(250)]
    apply(apps[::-1])
    listed = json.loads(apply(apps, "--json").stdout)
    assert listed["Same"] == 250 and listed["Created"] == 0
    apps[249]["MaxRoomCount"] = 7
    assert json.loads(apply(apps, "--json").stdout)["Changed"] == 1
    assert backend.show(FIRST + 249)["MaxRoomCount"] == 7


def test_changes_by_others_to_other_fields_stay(backend, apply):
    """Somebody changes the step all the time while the maximum is applied; both are kept."""
    apply([full()])
    stopping = threading.Event()
    seen = []

    def other():
        client = backend.client()
        for number in range(1, 100000):
            if stopping.is_set():
                return
            step = number % 50 + 1
            client.post("/manage/v1/app_set", {"SdkAppid": FIRST, "StepPercent": step},
                        {"Authorization": f"Bearer {backend.token}"}).ok()  # fmt: skip
            seen.append(step)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for number in range(1, 20):
            wanted = full(MaxRoomCount=number)
            del wanted["StepPercent"]
            apply([wanted])
            assert backend.show()["MaxRoomCount"] == number
    finally:
        stopping.set()
        thread.join(30)
    assert seen and backend.show()["StepPercent"] == seen[-1]


def test_two_at_once_both_end_with_what_the_file_says(backend, tmp_path):
    path = tmp_path / "apps.json"
    path.write_text(json.dumps({"Version": 1, "Apps": [full(FIRST + number) for number in range(60)]}))
    command = [BINARY, "apply", str(path), "--json", "--server", f"http://127.0.0.1:{backend.port}", "--admin-token-file",
               str(backend.data / "admin-token")]  # fmt: skip
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(child.communicate(timeout=60), child.returncode) for child in children]
    assert [status for _, status in ended] == [DONE, DONE, DONE], ended
    assert sum(json.loads(said[0])["Created"] for said, _ in ended) == 60
    assert run(*command[1:]).returncode == DONE
    assert json.loads(run(*command[1:]).stdout)["Same"] == 60


class Between:
    """Stands before the backend and does something when a call passes."""

    def __init__(self, backend, on_call):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                on_call(self.path)
                backend_side = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=20)
                try:
                    backend_side.request("POST", self.path, body, {"Authorization": self.headers["authorization"]})
                    reply = backend_side.getresponse().read()
                except OSError:
                    self.close_connection = True  # as the backend does
                    return
                finally:
                    backend_side.close()
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.backend = backend
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def apply(self, path):
        try:
            return run("apply", str(path), "--server", f"http://127.0.0.1:{self.server.server_port}", "--admin-token-file",
                       str(self.backend.data / "admin-token"))  # fmt: skip
        finally:
            self.server.shutdown()
            self.server.server_close()


def write(tmp_path, *apps):
    path = tmp_path / "apps.json"
    path.write_text(json.dumps({"Version": 1, "Apps": list(apps)}))
    return path


def test_app_that_somebody_creates_meanwhile_is_changed_instead(backend, tmp_path):
    def on_call(path):
        if path.endswith("/app_create"):
            backend.app(FIRST, MaxRoomCount=3)

    ended = Between(backend, on_call).apply(write(tmp_path, full()))
    assert ended.returncode == DONE, ended
    assert "~ MaxRoomCount 3 -> 100" in ended.stdout and "0 created, 1 changed" in ended.stdout
    assert backend.show()["MaxRoomCount"] == 100 and backend.show()["CallbackUrl"] == URL


def test_app_that_somebody_deletes_meanwhile_is_told_with_what_was_set(backend, tmp_path):
    def on_call(path):
        if path.endswith("/callback_set"):
            backend.manage("app_delete", {"SdkAppid": FIRST}).ok()

    backend.app(FIRST, MaxRoomCount=3)
    ended = Between(backend, on_call).apply(write(tmp_path, full(), {"SdkAppid": SECOND}))
    assert ended.returncode == REFUSED
    assert f"app {FIRST}: callback_set was refused (70020)" in ended.stderr and "; was set before: MaxRoomCount, " in ended.stderr
    assert "1 created, 0 changed, 0 deleted, 0 as the file says, 1 failed" in ended.stdout


def test_field_that_somebody_changes_back_is_told(backend, tmp_path):
    def on_call(path):
        if path.endswith("/app_show"):
            backend.manage("app_set", {"SdkAppid": FIRST, "MaxRoomCount": 9}).ok()

    backend.app(FIRST, MaxRoomCount=3)
    ended = Between(backend, on_call).apply(write(tmp_path, {"SdkAppid": FIRST, "MaxRoomCount": 5}))
    assert ended.returncode == REFUSED
    assert "somebody else changed it meanwhile, so it is not as the file says: MaxRoomCount" in ended.stderr


def test_without_an_answer_all_ends_there(backend, tmp_path):
    def on_call(path):
        if path.endswith("/app_create") and len(backend.manage("app_list", {}).ok().response["AppList"]) == 1:
            backend.kill()

    path = write(tmp_path, *({"SdkAppid": number} for number in (FIRST, SECOND, THIRD)))
    ended = Between(backend, on_call).apply(path)
    assert ended.returncode == IO, ended
    assert f"app {SECOND}: app_create: " in ended.stderr
    assert "1 created, 0 changed, 0 deleted, 0 as the file says, 1 failed, 1 not tried" in ended.stdout
    backend.start()
    again = run("apply", str(path), "--server", f"http://127.0.0.1:{backend.port}", "--admin-token-file", str(backend.data / "admin-token"))
    assert again.returncode == DONE and "1 as the file says" in again.stdout


def test_server_that_is_not_there_and_wrong_token(tmp_path):
    path = write(tmp_path, {"SdkAppid": FIRST})
    token = tmp_path / "admin-token"
    token.write_text("0" * 64)
    ended = run("apply", str(path), "--server", "http://127.0.0.1:9", "--admin-token-file", str(token))
    assert ended.returncode == IO and "no answer from" in ended.stderr
    ended = run("apply", str(tmp_path / "missing.json"), "--server", "http://127.0.0.1:9")
    assert ended.returncode == IO and "missing.json" in ended.stderr


# ---- wrong files ----


def app_with(**fields):
    return {"Version": 1, "Apps": [{"SdkAppid": FIRST}, {"SdkAppid": SECOND, **fields}]}


CALLBACK = {"CallbackUrl": URL, "CallbackCommandList": []}
# what is said, and whether the schema says so too (it cannot know all)
WRONG = [
    ([], "must be an object", True),
    ({}, "Version: is required", True),
    ({"Version": 1}, "Apps: is required", True),
    ({"Version": 2, "Apps": []}, "Version: is required, and must be 1", True),
    ({"Version": "1", "Apps": []}, "Version: ", True),
    ({"Version": 1, "Apps": {}}, "Apps: is required, an array", True),
    ({"Version": 1, "Apps": [], "apps": []}, 'there is no field "apps"', True),
    ({"Version": 1, "Apps": [], "Comment": 1}, "Comment: must be a text", True),
    ({"Version": 1, "Apps": [1]}, "Apps[0]: must be an object", True),
    ({"Version": 1, "Apps": [{}]}, "Apps[0].SdkAppid: is required", True),
    ({"Version": 1, "Apps": [{"SdkAppid": 0}]}, "Apps[0].SdkAppid: ", True),
    ({"Version": 1, "Apps": [{"SdkAppid": 4294967296}]}, "Apps[0].SdkAppid: ", True),
    ({"Version": 1, "Apps": [{"SdkAppid": "1"}]}, "Apps[0].SdkAppid: ", True),
    (app_with(SdkAppid=FIRST), f"Apps[1].SdkAppid: {FIRST} is in Apps[0] already", False),
    (app_with(MaxRoomcount=5), 'Apps[1]: there is no field "MaxRoomcount"', True),
    (app_with(Token=TOKEN), 'Apps[1]: there is no field "Token"', True),
    (app_with(MaxRoomCount=-1), "Apps[1].MaxRoomCount: must be a whole number from 0 to 1000000000", True),
    (app_with(MaxRoomCount=1000000001), "Apps[1].MaxRoomCount: ", True),
    (app_with(MaxRoomCount="5"), "Apps[1].MaxRoomCount: ", True),
    (app_with(MaxRoomCount=5.5), "Apps[1].MaxRoomCount: ", True),
    (app_with(MaxRoomCount=None), "Apps[1].MaxRoomCount: ", True),
    (app_with(AlertMode="Edge"), 'Apps[1].AlertMode: must be "every", "edge" or "step"', True),
    (app_with(AlertMode=1), "Apps[1].AlertMode: ", True),
    (app_with(Thresholds=[]), "Apps[1].Thresholds: must be an array of 1 to 8", True),
    (app_with(Thresholds=70), "Apps[1].Thresholds: must be an array", True),
    (app_with(Thresholds=list(range(1, 10))), "Apps[1].Thresholds: must be an array", True),
    (app_with(Thresholds=[70, 101]), "Apps[1].Thresholds[1]: must be a percentage from 1 to 100", True),
    (app_with(Thresholds=[0]), "Apps[1].Thresholds[0]: ", True),
    (app_with(Thresholds=["70"]), "Apps[1].Thresholds[0]: ", True),
    (app_with(Thresholds=[70, 70]), "Apps[1].Thresholds[1]: ", True),
    (app_with(Thresholds=[70, 80, 75]), "Apps[1].Thresholds[2]: ", False),
    (app_with(RearmMargin=51), "Apps[1].RearmMargin: must be a whole number from 0 to 50", True),
    (app_with(StepPercent=0), "Apps[1].StepPercent: must be a whole number from 1 to 50", True),
    (app_with(Admins="ops"), "Apps[1].Admins: must be an array of 0 to 10 names", True),
    (app_with(Admins=["a b"]), "Apps[1].Admins[0]: must be a name", True),
    (app_with(Admins=["ok", ""]), "Apps[1].Admins[1]: ", True),
    (app_with(Admins=["ok", "x" * 33]), "Apps[1].Admins[1]: ", True),
    (app_with(Admins=["ok", "ok"]), "Apps[1].Admins[1]: ", True),
    (app_with(Admins=["ok", 1]), "Apps[1].Admins[1]: ", True),
    (app_with(Admins=[str(n) for n in range(11)]), "Apps[1].Admins: ", True),
    (app_with(CallbackOverwrite="yes"), "Apps[1].CallbackOverwrite: must be true or false", True),
    (app_with(AccountsRequired=1), "Apps[1].AccountsRequired: must be true or false", True),
    (app_with(CallbackUrl=URL), "Apps[1]: CallbackUrl needs a CallbackCommandList", True),
    (app_with(CallbackCommandList=[]), "Apps[1].CallbackCommandList: needs a CallbackUrl", True),
    (app_with(CallbackUrl="", CallbackCommandList=[]), "Apps[1].CallbackCommandList: needs a CallbackUrl", True),
    (app_with(IsTokenEnable=False), "Apps[1].IsTokenEnable: needs a CallbackUrl", True),
    (app_with(TokenFile="x"), "Apps[1].TokenFile: needs a CallbackUrl", True),
    (app_with(**{**CALLBACK, "CallbackUrl": "ftp://x"}), "Apps[1].CallbackUrl: ", True),
    (app_with(**{**CALLBACK, "CallbackUrl": "https://user:pass@host/"}), "Apps[1].CallbackUrl: ", False),
    (app_with(**{**CALLBACK, "CallbackUrl": "https://host/" + "x" * 1024}), "Apps[1].CallbackUrl: ", True),
    (app_with(**{**CALLBACK, "CallbackUrl": 5}), "Apps[1].CallbackUrl: must be a URL", True),
    (app_with(**{**CALLBACK, "CallbackCommandList": ["Live.Nothing"]}), "Apps[1].CallbackCommandList[0]: ", True),
    (app_with(**{**CALLBACK, "CallbackCommandList": [ALERT, ALERT]}), "Apps[1].CallbackCommandList[1]: ", True),
    (app_with(**CALLBACK, IsTokenEnable=1), "Apps[1].IsTokenEnable: must be true or false", True),
    (app_with(**CALLBACK, TokenFile="a", TokenVariable="b"), "TokenFile and TokenVariable exclude each other", True),
    (app_with(**CALLBACK, TokenFile=""), "Apps[1].TokenFile: must be a text", True),
    (app_with(**CALLBACK, TokenFile="missing"), "Apps[1].TokenFile: reading ", False),
    (app_with(**CALLBACK, TokenFile="-"), "Apps[1].TokenFile: standard input cannot be used", False),
    (app_with(**CALLBACK, TokenVariable="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE is not set", False),
    (app_with(KeyFile="a", KeyVariable="b"), "KeyFile and KeyVariable exclude each other", True),
    (app_with(KeyVariable="SHORT"), "Apps[1].KeyVariable: a key has at least 8 bytes", False),
    (app_with(Comment=[]), "Apps[1].Comment: must be a text", True),
]  # fmt: skip


@pytest.mark.parametrize("wrong, said, by_schema", WRONG, ids=[str(row[1]) + "#" + str(number) for number, row in enumerate(WRONG)])
def test_wrong_file_is_refused_with_the_place_before_any_call(tmp_path, wrong, said, by_schema):
    path = tmp_path / "apps.json"
    path.write_text(json.dumps(wrong))
    # there is no server: a call would be exit code 3 with another text
    ended = run("apply", str(path), "--server", "http://127.0.0.1:9", env={"SHORT": "1234567"})
    assert ended.returncode in ((IO,) if "reading" in said else (USAGE,)), ended
    assert f"highwater apply: {path}: " in ended.stderr and said in ended.stderr
    validator = jsonschema.Draft7Validator(SCHEMA)
    assert validator.is_valid(wrong) is not by_schema


TEXTS = [
    ("", "is empty"),
    ("{", "JSON"),
    ('{"Version":1,"Apps":[]} x', "JSON"),
    ('{"Version":1,"Apps":[],"Apps":[]}', "duplicate"),
    ('{"Version":1,"Apps":[{"SdkAppid":1,"SdkAppid":2}]}', "duplicate"),
]


@pytest.mark.parametrize("text, said", TEXTS)
def test_text_that_is_no_file_of_ours_is_refused(text, said):
    ended = run("apply", "-", "--server", "http://127.0.0.1:9", stdin=text)
    assert ended.returncode == USAGE and "standard input" in ended.stderr and said.lower() in ended.stderr.lower(), ended


def test_one_wrong_app_keeps_all_from_being_made(backend, apply):
    ended = apply([full(), full(SECOND, StepPercent=99)], status=USAGE)
    assert "Apps[1].StepPercent" in ended.stderr and ended.stdout == ""
    assert backend.manage("app_list", {}).ok().response["AppList"] == []


def test_schema_knows_every_field_and_command():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert jsonschema.Draft7Validator(SCHEMA).is_valid({"Version": 1, "Apps": [full(TokenFile="t", KeyFile="k")]})
    commands = SCHEMA["definitions"]["app"]["properties"]["CallbackCommandList"]["items"]["enum"]
    header = (ROOT / "include" / "highwater" / "callback.h").read_text()
    assert all(f'"{command}"' in header for command in commands)
    assert header.count("X(HW_CALLBACK_") == len(commands)


# ---- export ----


def test_export_is_a_file_that_changes_nothing_and_makes_the_same_elsewhere(backend, make_backend, apply, cli, tmp_path):
    apply([full(CallbackUrl=URL + "?a=b"), {"SdkAppid": SECOND, "MaxRoomCount": 0, "Admins": []}])
    exported = cli("app", "export").stdout
    jsonschema.Draft7Validator(SCHEMA).validate(json.loads(exported))
    assert cli("apply", "-", "--prune", stdin=exported).stdout == "0 created, 0 changed, 0 deleted, 2 as the file says\n"
    other = make_backend(folder="other")
    ended = run("apply", "-", "--server", f"http://127.0.0.1:{other.port}", "--admin-token-file", str(other.data / "admin-token"),
                stdin=exported)  # fmt: skip
    assert ended.returncode == DONE, ended
    changing = ("CreateTime", "Secrets", "Keys")
    for sdkappid in (FIRST, SECOND):
        one, two = copy.deepcopy(backend.show(sdkappid)), copy.deepcopy(other.show(sdkappid))
        for name in changing:
            one.pop(name), two.pop(name)
        assert one == two


def test_export_of_one_app_shows_no_secret(backend, apply, cli):
    apply([full(TokenVariable="T"), {"SdkAppid": SECOND}], env={"T": TOKEN})
    exported = cli("app", "export", str(FIRST)).stdout
    assert [app["SdkAppid"] for app in json.loads(exported)["Apps"]] == [FIRST]
    assert TOKEN not in exported and "Key" not in exported and "Secret" not in exported
    assert json.loads(exported)["Apps"][0]["IsTokenEnable"] is True
    assert "70020" in cli("app", "export", "99", status=REFUSED).stderr


def test_example_is_valid_and_can_be_applied(backend, cli):
    jsonschema.Draft7Validator(SCHEMA).validate(json.loads(EXAMPLE.read_text()))
    env = {"CALLBACK_TOKEN_1400000001": TOKEN}
    cli("apply", str(EXAMPLE), env=env)
    assert "2 as the file says" in cli("apply", str(EXAMPLE), env=env).stdout
    assert backend.show()["Thresholds"] == [70, 85, 95]
