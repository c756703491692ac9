"""`highwater receive` killed again and again under load: what was answered OK is in the record exactly once, and each sink
got it at least once. HIGHWATER_KILLS sets how often (100)."""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import threading
import time

import wire
from test_receive import SAMPLE, Sender
from test_sinks import write_program

KILLS = int(os.environ.get("HIGHWATER_KILLS", "100"))
SENDERS = 6


class Load:
    """Sends events from several threads until it is told to end; each is sent until it was answered OK, as a backend does."""

    def __init__(self, receive):
        self.receive = receive
        self.answered = set()
        self.sent = collections.Counter()
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def one(self, sender, name):
        with self.lock:
            self.sent[name] += 1
        reply = sender.send({**SAMPLE, "Operator_Account": name}, headers={"webhook-id": name})
        if reply.status == 200:
            with self.lock:
                self.answered.add(name)
            return True
        assert reply.status == 503, reply.raw
        return False

    def run(self, worker):
        number = 0
        while not self.stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(Sender(self.receive.port)) as sender:
                while not self.stop.is_set():
                    if self.one(sender, f"{worker}-{number}"):
                        number += 1


def test_kills_under_load_lose_nothing_and_double_nothing(make_app_backend, make_receiver, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    program = write_program(tmp_path / "program", f'echo "$HIGHWATER_WEBHOOK_ID" >> {kept}/ids\n')
    receiver = make_receiver()
    receive = make_app_backend("--receive-command", str(program), "--receive-post-url", receiver.url,
                               "--receive-sink-retry-longest", "1s")  # fmt: skip
    receive.arguments[receive.arguments.index("--http-listen") + 1] = f"127.0.0.1:{receive.port}"
    load = Load(receive)
    random.seed(7)
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        done = [pool.submit(load.run, worker) for worker in range(SENDERS)]
        try:
            for _ in range(KILLS):
                wanted = len(load.answered) + random.randrange(1, 60)
                wire.wait(lambda: len(load.answered) >= wanted, what="answers", seconds=30)
                receive.kill()
                receive.start()
        finally:
            load.stop.set()  # or the pool would wait for ever
        for one in done:
            one.result()
    recorded = collections.Counter(event["WebhookId"] for event in receive.events())
    assert set(recorded.values()) == {1}, "each event once"
    assert load.answered <= set(recorded), "nothing that was answered is missing"
    assert set(recorded) <= set(load.sent), "nothing that was not sent is there"
    wire.wait(lambda: set((kept / "ids").read_text().split()) >= set(recorded), what="the program to have all", seconds=120)
    receiver.wait_until(lambda requests: {one["headers"]["webhook-id"] for one in requests} >= set(recorded), 120)
    assert not receive.metric("highwater_receive_app_sequence_resets_total", app="1400000001")
    report = {"kills": KILLS, "answered": len(load.answered), "recorded": len(recorded),
              "sent again": sum(load.sent.values()) - len(load.sent), "posts": len(receiver.requests)}  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(report))
    print(report)


def test_replayed_reordered_and_future_events(make_app_backend, tmp_path):
    """What an attacker who reads the wire can do within the tolerance: nothing that counts."""
    secret = wire.webhook_key("whsec", b"s" * 32)
    (tmp_path / "keys").write_text(secret)
    (tmp_path / "keys").chmod(0o600)
    receive = make_app_backend("--receive-secret-file", str(tmp_path / "keys"))
    requests = []
    for number in range(20):
        body = json.dumps({**SAMPLE, "CurRoomCount": number}).encode()
        stamp = int(time.time())
        headers = {"webhook-id": f"e{number}", "webhook-timestamp": str(stamp), "Highwater-Sequence": str(number + 1),
                   "webhook-signature": wire.webhook_signature(secret, f"e{number}", stamp, body)}  # fmt: skip
        requests.append((body, headers))
    random.seed(3)
    order = requests * 3
    random.shuffle(order)
    with contextlib.closing(Sender(receive.port)) as sender:
        for body, headers in order:
            sender.send(body, headers=headers).ok()
        for body, headers in requests[:5]:  # under another id, or with another body: not signed
            sender.send(body, headers={**headers, "webhook-id": "other"}).refused(60025)
            sender.send(body.replace(b"500", b"501"), headers=headers).refused(60025)
        future = str(int(time.time()) + 3600)
        body = requests[0][0]
        signature = wire.webhook_signature(secret, "f", int(future), body)
        sender.send(body, headers={"webhook-id": "f", "webhook-timestamp": future, "webhook-signature": signature}).refused(60025, "future")
    assert sorted((event["WebhookId"], event["Times"]) for event in receive.events()) == sorted((f"e{number}", 3) for number in range(20))
    app = {"app": "1400000001"}
    assert receive.metric("highwater_receive_app_sequence_missing", **app) == 0
    assert receive.metric("highwater_receive_app_sequence_resets_total", **app) == 0
