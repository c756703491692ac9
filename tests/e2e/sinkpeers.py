"""What sinks of `highwater receive` speak to: a real Alertmanager, a real SMTP server, and an HTTP receiver that keeps what
it gets."""

import email
import email.policy
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import aiosmtpd.controller
import aiosmtpd.smtp

TOOLS = pathlib.Path(os.environ.get("HIGHWATER_TOOLS") or pathlib.Path(__file__).parents[2] / "build" / "tools")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Alertmanager:
    """Debian's prometheus-alertmanager in a folder of its own. Notifications go to a webhook."""

    def __init__(self, folder, webhook="http://127.0.0.1:9/"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child = None
        route = {"receiver": "all", "group_by": ["alertname", "app"], "group_wait": "0s", "group_interval": "1s"}
        receivers = [{"name": "all", "webhook_configs": [{"url": webhook, "send_resolved": True}]}]
        self.configuration = self.folder / "alertmanager.yml"
        self.configuration.write_text(json.dumps({"route": route, "receivers": receivers}))

    def start(self, keep=True):
        """Without `keep` it has forgotten everything, as after a restart."""
        with open(self.folder / "log", "ab") as log:
            self.child = subprocess.Popen(
                [TOOLS / "alertmanager", f"--config.file={self.configuration}", f"--storage.path={self.folder / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                    return self
            except (OSError, urllib.error.URLError):
                assert self.child.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(20)

    def alerts(self):
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            return json.load(answer)

    def active(self, name="LiveRoomsReachingThreshold"):
        return [one for one in self.alerts() if one["labels"]["alertname"] == name and one["status"]["state"] == "active"]

    def wait_active(self, condition, name="LiveRoomsReachingThreshold", seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            found = self.active(name)
            if condition(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)


class MailServer:
    """An SMTP server that takes mail, with STARTTLS and AUTH when it has a certificate and users."""

    def __init__(self, certificate=None, users=None, port=0):
        self.messages = []
        self.envelopes = []
        self.changed = threading.Condition()
        self.refuse = None  # an answer such as "451 try again"
        self.users = users or {}
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self.context = context
        self.port = port or free_port()
        self.controller = None

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        with self.changed:
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos), bool(session.ssl), session.authenticated))
            self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.changed.notify_all()
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        good = isinstance(data, aiosmtpd.smtp.LoginPassword) and self.users.get(data.login) == data.password
        return aiosmtpd.smtp.AuthResult(success=good, handled=good)

    def start(self):
        arguments = {"authenticator": self.authenticate, "auth_required": True} if self.users else {}
        if self.context:
            arguments |= {"tls_context": self.context, "require_starttls": True}
        self.controller = aiosmtpd.controller.Controller(self, hostname="127.0.0.1", port=self.port, **arguments)
        self.controller.start()
        return self

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    def wait_for(self, count, seconds=20):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, seconds), f"{len(self.messages)} mails"
            return list(self.messages)


