"""Installs the program into a temporary prefix and looks at what stands beside it: manual pages, bash completion, settings
files, units. Usage: test_program.py CMAKE BUILD-FOLDER PREFIX-OF-THE-BUILD"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

CMAKE, BUILD, CONFIGURED = sys.argv[1:4]
SOURCE = pathlib.Path(__file__).parents[2]
SERVICES = ["serve", "receive"]
# systemd's measure, 0 (best) to 10. What is left: IP and local sockets, which a server needs, and the host's root.
EXPOSURE_MAX = 1.1


def run(*words, exit=0, **options):
    ended = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, **options)
    assert ended.returncode == exit, (words, ended.returncode, ended.stdout, ended.stderr)
    return ended


def install(prefix):
    return run(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "highwater").stdout


def help_rows(text, section):
    """First words of the lines of a list in a help text."""
    found = re.search(rf"^{section}:\n((?:  .*\n)+)", text, re.M)
    return re.findall(r"^  (\S+)", found[1], re.M) if found else []


def commands(program):
    """["app create", ...], and groups that are a command themselves."""
    for group in help_rows(run(program, "help").stdout, "Commands"):
        if group in ("version", "help"):
            continue
        names = help_rows(run(program, "help", group).stdout, "Commands")
        yield from [f"{group} {name}" for name in names] or [group]


def test_every_command_and_option_is_in_its_page(prefix, program):
    for command in commands(program):
        group = command.split()[0]
        page = run("mandoc", "-T", "ascii", "-O", "width=250", prefix / f"share/man/man1/highwater-{group}.1").stdout
        page = re.sub(r".\x08", "", page)
        assert f"highwater {command}" in page, command
        assert command == group or f"\n   {command}\n" in page, command
        flags = re.findall(r"^  (--\S+(?: \S+)?)$", run(program, "help", *command.split()).stdout, re.M)
        assert "--help" in flags
        for flag in flags:
            assert f"     {flag}" in page, (command, flag)


def test_every_setting_is_in_the_page_and_in_the_example(prefix, program):
    page = re.sub(r".\x08", "", run("mandoc", "-T", "ascii", "-O", "width=250", prefix / "share/man/man5/highwater.conf.5").stdout)
    for service in SERVICES:
        example = (prefix / f"etc/highwater/{service}.conf").read_text()
        settings = re.findall(r"^  (--\S+) [A-Z]+$", run(program, service, "--help").stdout.split("\nSettings:\n")[1], re.M)
        assert len(settings) > 10
        names = re.findall(r"^#?([a-z]+\.[a-z_]+) =", example, re.M)
        assert ["--" + re.sub("[._]", "-", name) for name in names] == settings
        for name in names:
            assert f"     {name} = " in page, name


def test_pages_are_clean(prefix):
    pages = [*prefix.glob("share/man/man1/*"), *prefix.glob("share/man/man5/*")]
    assert len(pages) > 10
    for page in pages:
        said = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True, timeout=60).stdout
        # the pages lie where mandoc does not look
        bad = [line for line in said.splitlines() if "referenced manual not found: Xr highwater" not in line]
        assert not bad, bad
        for name, section in re.findall(r"^\.Xr (\S+) (\d)", page.read_text(), re.M):
            assert (prefix / f"share/man/man{section}/{name}.{section}").exists(), (page, name)


def test_example_settings_are_the_programs_defaults(prefix, program, folder):
    """Also when every line is taken in; but for the places of the data."""

    def values(service, *flags):
        dump = run(program, service, *flags, "--dump", env={}).stdout
        return dict(re.findall(r"^([a-z]+\.[a-z_]+) = ?(.*)$", dump, re.M))

    places = {"serve": {"data.dir": "/var/lib/highwater"}, "receive": {"receive.record": "/var/lib/highwater-receive/callbacks.db"}}
    for service in SERVICES:
        example = prefix / f"etc/highwater/{service}.conf"
        wanted = {**values(service), **places[service]}
        assert len(wanted) > 10
        assert values(service, "--config", example) == wanted
        whole = folder / f"{service}.conf"
        whole.write_text(re.sub(r"^#(?=[a-z]+\.[a-z_]+ =)", "", example.read_text(), flags=re.M))
        found = values(service, "--config", whole)
        assert found == {name: value for name, value in wanted.items() if name in found}
        assert len(wanted) - len(found) <= 4, wanted.keys() - found.keys()  # those that may hold a secret are not shown


def test_changed_settings_are_kept(prefix):
    changed = prefix / "etc/highwater/serve.conf"
    before = changed.read_text()
    changed.write_text("log.level = warn\n")
    assert f"Kept: {changed}" in install(prefix)
    assert changed.read_text() == "log.level = warn\n"
    changed.unlink()
    install(prefix)
    assert changed.read_text() == before


COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_highwater
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_completion(prefix, program, folder):
    script = prefix / "share/bash-completion/completions/highwater"

    def complete(*words):
        return run("bash", "-c", COMPLETE, "bash", script, "highwater", *words, cwd=folder).stdout.split()

    assert run("bash", "-c", 'source "$1"; complete -p highwater', "bash", script).stdout == "complete -F _highwater highwater\n"
    (folder / "token-file").touch()
    (folder / "to-folder").mkdir()
    groups = help_rows(run(program, "help").stdout, "Commands")
    assert sorted(complete("")) == sorted(groups)
    rows = [
        (["users"], ["usersig"]),
        (["nothing"], []),
        (["app", "set"], ["set", "set-certificate"]),
        (["help", "usersig", ""], ["generate", "verify", "help"]),
        (["help", "usersig"], ["usersig"]),
        (["app", "create", "1400000001", "--mo"], ["--mode"]),
        (["app", "create", "--mode", ""], ["every", "edge", "step"]),
        (["app", "create", "--mode", "=", "ed"], ["edge"]),  # as bash takes --mode=ed apart
        (["app", "create", "--mode", "="], ["every", "edge", "step"]),
        (["app", "create", "--max", ""], []),
        (["callback", "list", "--state", "p"], ["pending", "parked"]),
        (["room", "create", "r", "--client", "--platform", "i"], ["iOS", "iPad"]),
        (["trigger", "http://x", "--fault", "stale"], ["stale-sign", "stale-signature"]),
        (["store", "backup", "to"], ["to-folder", "token-file"]),
        (["callback", "set", "--token-file", "to"], ["to-folder", "token-file"]),
        (["store", "check", "--data-dir", "to"], ["to-folder"]),
        (["serve", "--log-level", "w"], ["warn"]),
        (["serve", "--callback-supersede", ""], ["on", "off"]),
        (["serve", "--config", "to"], ["to-folder", "token-file"]),
        (["serve", "--log-f"], ["--log-format"]),
    ]
    for words, wanted in rows:
        assert sorted(complete(*words)) == sorted(wanted), (words, complete(*words))
    for command in commands(program):
        flags = re.findall(r"^  (--\S+)", run(program, "help", *command.split()).stdout, re.M)
        assert sorted(complete(*command.split(), "--")) == sorted(flags), command


def test_choices_of_the_generator_are_the_programs(program, folder):
    """Those that help only tells in a sentence."""
    text = (SOURCE / "scripts" / "generate-manual").read_text()
    scope = {}
    exec(re.search(r"^CHOICES = \{.*?^\}", text, re.M | re.S)[0], scope)
    start = {
        "serve": ["serve", "--http-listen", "127.0.0.1:0", "--data-dir", folder / "data"],
        "receive": ["receive", "--http-listen", "127.0.0.1:0", "--status-listen", "", "--receive-sdkappids", "1", "--receive-record", folder / "record"],
    }
    for name, words in scope["CHOICES"].items():
        line = start["receive" if name.startswith("receive.") else "serve"]
        flag = "--" + re.sub("[._]", "-", name)
        for word in words:
            run(program, *line, "--check", flag, word, env={})
        run(program, *line, "--check", flag, "other", exit=2, env={})


def test_units(prefix):
    for unit, service in (("highwater", "serve"), ("highwater-receive", "receive")):
        path = prefix / f"lib/systemd/system/{unit}.service"
        text = path.read_text()
        assert f"ExecStart={CONFIGURED}/bin/highwater {service} --config " in text
        said = run("systemd-analyze", "security", "--offline=true", "--no-pager", path).stdout
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])
        print(f"{unit}.service: exposure {exposure}")
        assert exposure <= EXPOSURE_MAX, said
        # verify wants the program to be where the unit says
        path.write_text(text.replace(f"={CONFIGURED}/bin/", f"={prefix}/bin/"))
        said = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
        assert said.returncode == 0 and unit not in said.stderr, said.stderr
    users = (prefix / "lib/sysusers.d/highwater.conf").read_text()
    assert re.findall(r"^u (\S+)", users, re.M) == ["highwater", "highwater-receive"]


def calls_of(group):
    """The system calls of a group of systemd, "@system-service"."""
    found = set()
    for line in run("systemd-analyze", "syscall-filter", group).stdout.splitlines()[1:]:
        word = line.strip()
        found |= calls_of(word) if word.startswith("@") else {word} if word and word[0] != "#" else set()
    return found


def test_system_calls_are_those_the_units_allow(prefix, program, folder):
    """Of both services at work, and of nothing made executable that is writable."""
    for unit in ("highwater", "highwater-receive"):
        filters = re.findall(r"^SystemCallFilter=(.*)$", (prefix / f"lib/systemd/system/{unit}.service").read_text(), re.M)
        assert filters == ["@system-service", "~@privileged @resources"], filters
    allowed = (calls_of("@default") | calls_of("@system-service")) - calls_of("@privileged") - calls_of("@resources")
    if os.geteuid() == 0:
        allowed.add("fchown")  # SQLite's, as root only
    trace = folder / "trace"
    run("strace", "--follow-forks", "--output", trace, program, "demo", "--once")
    text = trace.read_text()
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]", text, re.M))
    assert {"execve", "accept4", "epoll_wait", "fdatasync"} <= used, used
    assert not used - allowed, used - allowed
    assert not re.search(r"PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC", text)


def main():
    os.environ.pop("MANPATH", None)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        install(prefix)
        given = {"prefix": prefix, "program": prefix / "bin/highwater", "folder": folder / "work"}
        given["folder"].mkdir()
        for name, test in [*globals().items()]:
            if name.startswith("test_"):
                test(**{word: given[word] for word in test.__code__.co_varnames[: test.__code__.co_argcount]})
                print(f"ok: {name}")


main()
