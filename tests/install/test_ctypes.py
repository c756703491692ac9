"""Runs the Python receiver of docs/libhighwater.md, as it stands there, with the built library."""

import hashlib
import http.client
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]
TOKEN = "xxxxyyyy"
ALERT = "Live.CallbackAfterCreateRoomReachingThreshold"
BODY = '{"CallbackCommand":"%s","Operator_Account":"brennanli","EventTime":1,"CurRoomCount":400,"MaxRoomCount":500}' % ALERT


def send(port, token, app="1400000001", body=BODY):
    now = int(time.time())
    sign = hashlib.sha256(f"{token}{now}".encode()).hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", f"/?SdkAppid={app}&CallbackCommand={ALERT}&Sign={sign}&RequestTime={now}", body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def main(folder):
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "libhighwater.md").read_text(), re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "LD_LIBRARY_PATH": folder, "SDKAPPID": "1400000001", "CALLBACK_TOKEN": TOKEN}
    child = subprocess.Popen([sys.executable, "-c", code, "0"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline().removeprefix("port "))
        assert send(port, TOKEN) == (200, '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}')
        assert child.stdout.readline() == f"taken {BODY}\n"
        for wrong in (send(port, "another"), send(port, TOKEN, app="7"), send(port, TOKEN, body="{}")):
            assert wrong[0] in (401, 403, 400) and '"FAIL"' in wrong[1], wrong
        assert send(port, TOKEN)[0] == 200
    finally:
        child.kill()
        child.wait(10)
    print("ok")


main(sys.argv[1])
