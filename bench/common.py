"""What the programs in this folder share: the backend under measurement, the two ends of a callback, and tables."""

import argparse
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ALERT = "Live.CallbackAfterCreateRoomReachingThreshold"
LARGE = 1000000000
# what is measured is what the backend can do, not what it lets through
RATES_OFF = [word for name in ("api", "slow", "list", "client", "app") for word in (f"--rate-{name}", "0")]
RATES_OFF += ["--rate-room-id", "0s"]
LOOPBACK = ["--callback-allowed-addresses", "127.0.0.0/8"]  # where the receivers are


def fail(text):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {text}")


def post(port, path, body, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps(body), headers or {})
    reply = json.loads(connection.getresponse().read())
    connection.close()
    if reply["ErrorCode"]:
        fail(f"{path.split('?')[0]}: {reply}")
    return reply.get("Response", {})


class Program:
    """`highwater serve` or `receive` on a free loopback port."""

    def __init__(self, binary, folder, name, *arguments):
        self.folder = folder
        port_file = folder / f"{name}.port"
        self.child = subprocess.Popen(
            [binary, name, "--http-listen", "127.0.0.1:0", "--http-port-file", port_file, "--log-level", "warn", *arguments],
            cwd=folder, stdout=subprocess.DEVNULL)  # fmt: skip
        deadline = time.monotonic() + 20
        while not port_file.exists():
            if self.child.poll() is not None or time.monotonic() > deadline:
                fail(f"{name} did not start")
            time.sleep(0.001)
        self.port = int(port_file.read_text())

    def rss_kib(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        return 0

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)


class Backend(Program):
    def __init__(self, binary, folder, *arguments):
        super().__init__(binary, folder, "serve", "--data-dir", str(folder / "data"), *RATES_OFF, *LOOPBACK, *arguments)
        self.binary = binary
        self.queries = {}

    def manage(self, command, body):
        token = (self.folder / "data" / "admin-token").read_text().strip()
        return post(self.port, f"/manage/v1/{command}", body, {"Authorization": f"Bearer {token}"})

    def add_app(self, sdkappid, callback=None, **fields):
        key = self.manage("app_create", {"SdkAppid": sdkappid, "MaxRoomCount": LARGE, **fields})["Key"]
        sig = subprocess.run(
            [self.binary, "usersig", "generate", "--app", str(sdkappid), "--identifier", "administrator", "--key-file", "-"],
            input=key, capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        query = f"?sdkappid={sdkappid}&identifier=administrator&usersig={sig}&random=1&contenttype=json"
        self.queries[sdkappid] = query
        if callback:
            self.set_callback(sdkappid, callback)

    def set_callback(self, sdkappid, url, command="set_callback"):
        path = f"/v4/live_config/{command}{self.queries[sdkappid]}"
        post(self.port, path, {"Url": url, "CallbackCommandList": [ALERT]})

    def path(self, sdkappid, command="create_room"):
        return f"/v4/live_engine_http_srv/{command}{self.queries[sdkappid]}"

    def show(self, sdkappid):
        return self.manage("app_show", {"SdkAppid": sdkappid})

    def rooms(self):
        return sum(self.show(sdkappid)["RoomCount"] for sdkappid in self.queries)

    def disk_bytes(self):
        return sum(file.stat().st_size for file in (self.folder / "data").iterdir())


class Ends:
    """bench/alerts.c, running."""

    def __init__(self, program, backend, folder):
        self.child = subprocess.Popen([program, str(backend.port), folder / "leaf.pem", folder / "leaf.key"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.url = f"https://127.0.0.1:{self.answer()['port']}/callback"

    def tell(self, *words):
        self.child.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.child.stdin.flush()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            fail("alerts ended")
        return json.loads(line)

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def stop(self):
        self.child.stdin.close()
        self.child.wait(60)


def build_ends(folder):
    """The program, and a certificate for 127.0.0.1."""
    program = folder / "alerts"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, HERE / "alerts.c", "-lssl", "-lcrypto"], check=True)
    words = ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench "
             "-addext subjectAltName=IP:127.0.0.1 -keyout leaf.key -out leaf.pem")  # fmt: skip
    subprocess.run(words.split(), cwd=folder, check=True, capture_output=True)
    return program


def print_table(title, heads, rows, markdown):
    print(f"\n{title}\n" if not markdown else f"\n{title}\n\n| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    if markdown:
        for row in rows:
            print("| " + " | ".join(str(cell) for cell in row) + " |")
        return
    widths = [max(len(str(cell)) for cell in column) for column in zip(heads, *rows)]
    for row in [heads, *rows]:
        print("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths)))


def options_of(description, quick, needs="wrk"):
    """The command line; ends the program when the binary or the tool that it needs is missing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    parser.add_argument("--binary", default=str(HERE.parent / "build" / "release" / "bin" / "highwater"))
    options = parser.parse_args()
    if needs and not shutil.which(needs):
        fail(f"{needs} is missing: run scripts/install-deps build bench")
    if not os.access(options.binary, os.X_OK):
        fail(f"{options.binary} is missing: run scripts/build release")
    options.binary = os.path.abspath(options.binary)
    return options


def machine():
    return f"{os.cpu_count()} processors, {platform.machine()}, Linux {platform.release()}; load generator on the same machine"
