"""Pages of rooms while rooms come, go, hide and show themselves; and tokens that no page gave.

The walk is random with a fixed seed; HIGHWATER_PAGING_SEED gives another. What must hold for every walk: a room that
was there and visible from the first page to the last is listed exactly once, no room is listed twice, each listed room
was visible at that moment, and all are in the order of their creation, newest first.
"""

import os
import random
import re

import pytest

SEED = int(os.environ.get("HIGHWATER_PAGING_SEED", "20250219"))
TOKEN = re.compile(r"[0-9]+-[0-9]+")


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=10000)


def page(app, cursor="", count=20):
    return app.rest("get_room_list", {"Next": cursor, "Count": count}).ok().response


def ids(answer):
    return [room["RoomId"] for room in answer["RoomList"]]


class Rooms:
    """What the list should say: every room with its place in the order of creation, and whether it is visible."""

    def __init__(self, app, dice):
        self.app = app
        self.dice = dice
        self.visible = {}  # room -> bool, of those that exist
        self.place = {}  # room -> number of its creation
        self.creations = 0
        self.disturbed = set()  # rooms that were not there and visible all the time
        self.names = 0

    def create(self, name, visible=True):
        self.app.create(name, IsPublicVisible=visible).ok()
        self.creations += 1
        self.place[name] = self.creations
        self.visible[name] = visible
        self.disturbed.add(name)

    def create_new(self):
        self.names += 1
        self.create(f"r{self.names}", self.dice.random() < 0.8)

    def destroy(self):
        if self.visible:
            name = self.dice.choice(sorted(self.visible))
            self.app.destroy(name).ok()
            del self.visible[name]
            self.disturbed.add(name)

    def create_again(self):
        gone = sorted(set(self.place) - set(self.visible))
        if gone:
            self.create(self.dice.choice(gone))

    def turn(self):
        """Hides a room, or shows it."""
        if self.visible:
            name = self.dice.choice(sorted(self.visible))
            self.visible[name] = not self.visible[name]
            self.app.update(name, IsPublicVisible=self.visible[name]).ok()
            self.disturbed.add(name)

    def disturb(self):
        for _ in range(self.dice.randrange(6)):
            self.dice.choice([self.create_new, self.destroy, self.create_again, self.turn])()

    def listed(self):
        """All visible rooms, newest first."""
        shown = [name for name, visible in self.visible.items() if visible]
        return sorted(shown, key=self.place.get, reverse=True)


def walk(rooms, count_of):
    """Goes through all pages while rooms change between them, and checks what must hold."""
    rooms.disturbed = set()
    steady = set(rooms.listed())
    seen, places, cursor, number = [], [], "", 0
    while True:
        count = count_of(number)
        answer = page(rooms.app, cursor, count)
        found = ids(answer)
        assert len(found) <= count
        assert all(rooms.visible.get(name) for name in found), "a room was listed that is hidden or gone"
        seen += found
        places += [rooms.place[name] for name in found]
        cursor = answer["Next"]
        if not cursor:
            break
        assert TOKEN.fullmatch(cursor)
        rooms.disturb()
        number += 1
        assert number < 2000, "it does not end"
    assert places == sorted(places, reverse=True), "not newest first"
    assert len(seen) == len(set(seen)), "a room was listed twice"
    assert steady - rooms.disturbed <= set(seen), "a room that was there all the time was left out"
    return seen


@pytest.mark.parametrize("count", range(1, 21))
def test_pages_of_each_size_while_rooms_change(app, count):
    rooms = Rooms(app, random.Random(SEED + count))
    for _ in range(3 * count + 5):
        rooms.create_new()
    walk(rooms, lambda number: count)
    rooms.disturb()
    again = []
    cursor = ""
    while True:
        answer = page(app, cursor, count)
        again += ids(answer)
        cursor = answer["Next"]
        if not cursor:
            break
    assert again == rooms.listed(), "nothing changed meanwhile, so all of them"


def test_pages_of_changing_size_while_rooms_change(app):
    dice = random.Random(SEED)
    rooms = Rooms(app, dice)
    for _ in range(120):
        rooms.create_new()
    for _ in range(8):
        walk(rooms, lambda number: dice.randrange(1, 21))
        rooms.disturb()
    assert app.room_ids() == rooms.listed()


def test_walk_over_a_restart(backend, app):
    """A backend that ends between two pages, cleanly or not, goes on with the tokens of the one before."""
    dice = random.Random(SEED)
    rooms = Rooms(app, dice)
    for _ in range(60):
        rooms.create_new()
    seen, cursor = [], ""
    expected = rooms.listed()
    for number in range(100):
        answer = page(rooms.app, cursor, 13)
        seen += ids(answer)
        cursor = answer["Next"]
        if not cursor:
            break
        rooms.app = backend.restart(rooms.app, kill=number % 2 == 0)
    assert seen == expected


def test_walk_ends_when_all_rooms_go(app):
    app.fill(1, 6)
    cursor = page(app, count=2)["Next"]
    for number in range(1, 7):
        app.destroy(f"r{number}").ok()
    assert page(app, cursor) == {"Next": "", "RoomList": []}


def test_hidden_rooms_do_not_shorten_pages(app):
    for number in range(20):
        app.create(f"r{number:02}", IsPublicVisible=number % 2 == 0).ok()
    first = page(app, count=5)
    assert ids(first) == ["r18", "r16", "r14", "r12", "r10"]
    assert ids(page(app, first["Next"], 5)) == ["r08", "r06", "r04", "r02", "r00"]


def test_rooms_of_one_second_are_told_apart(app):
    app.fill(1, 40)  # far more than one a second
    seen, cursor = [], ""
    while True:
        answer = page(app, cursor, 1)
        seen += ids(answer)
        cursor = answer["Next"]
        if not cursor:
            break
    assert seen == [f"r{number}" for number in range(40, 0, -1)]


# ---- the first page ----


@pytest.mark.parametrize("body", [{}, {"Next": ""}, {"Next": "0"}, {"Next": None}, {"Next": "0", "Count": None}], ids=range(5))
def test_first_page(app, body):
    app.fill(1, 21)
    assert ids(app.rest("get_room_list", body).ok().response) == [f"r{number}" for number in range(21, 1, -1)]


# ---- tokens ----


@pytest.fixture
def token(app):
    app.fill(1, 8)
    found = page(app, count=3)["Next"]
    assert TOKEN.fullmatch(found)
    return found


def refused(app, cursor):
    app.rest("get_room_list", {"Next": cursor, "Count": 3}).refused(100002, "Next")


def good(app, cursor):
    assert ids(page(app, cursor, 3)) == ["r5", "r4", "r3"]


@pytest.mark.smoke
def test_token_with_any_character_changed_is_refused(app, token):
    for place, old in enumerate(token):
        others = [digit for digit in "0123456789" if digit != old] + ["x", "-", " ", "\u0663", ""]
        for new in others:
            changed = token[:place] + new + token[place + 1 :]
            if changed != token and changed != "0":
                refused(app, changed)
    good(app, token)


def test_token_that_is_cut_or_longer_is_refused(app, token):
    for length in range(1, len(token)):
        refused(app, token[:length])
        if token[length:] != "0":  # which starts anew
            refused(app, token[length:])
    for longer in ("0" + token, token + "0", token + "1", " " + token, token + " ", "+" + token, "-" + token, token + "-",
                   token * 2, token + "\n", token + "-1"):  # fmt: skip
        refused(app, longer)
    good(app, token)


def test_token_with_two_characters_exchanged_is_refused(app, token):
    for place in range(len(token) - 1):
        changed = token[:place] + token[place + 1] + token[place] + token[place + 2 :]
        if changed != token:
            refused(app, changed)


def test_parts_of_different_tokens_do_not_go_together(app, token):
    other = page(app, token, 3)["Next"]
    assert other != token
    for one, two in ((token, other), (other, token)):
        mixed = one.split("-")[0] + "-" + two.split("-")[1]
        if mixed not in (token, other):
            refused(app, mixed)


def test_guessed_tokens_are_refused(app, token):
    dice = random.Random(SEED)
    seconds, digits = token.split("-")
    for _ in range(300):
        refused(app, seconds + "-" + str(dice.randrange(10 ** len(digits))).zfill(len(digits)))
    for guess in (f"{seconds}-3", f"{seconds}-5", "0-0", f"{int(seconds) + 1}-{digits}", f"{seconds}-{int(digits) + 1}"):
        refused(app, guess)


@pytest.mark.parametrize("value", [0, 1, True, [], {}, ["0"], 1.5, " ", "00", "-", "x" * 1000, "a\nb", "\u0660"], ids=range(13))
def test_next_that_is_no_token_is_refused(app, token, value):
    refused(app, value)


def test_token_of_another_app_is_refused(backend, app, token):
    other = backend.app(1400000002, Key=app.key)
    other.fill(1, 8)
    refused(other, token)
    refused(app, page(other, count=3)["Next"])
    good(app, token)
    good(other, page(other, count=3)["Next"])


def test_token_of_another_backend_is_refused(make_backend, app, token):
    stranger = make_backend(folder="stranger")
    other = stranger.app(app.sdkappid, Key=app.key, MaxRoomCount=100)
    other.fill(1, 8)
    refused(other, token)


def test_token_goes_over_both_paths(app, token):
    def user(cursor):
        return app.user("get_room_list", {"Next": cursor, "Count": 3}, "alice", "Web")

    assert ids(user(token).ok().response) == ["r5", "r4", "r3"]
    good(app, user("").ok().response["Next"])
    user(token[:-1]).refused(100002, "Next")


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_token_survives_a_restart(backend, app, token, kill):
    again = backend.restart(app, kill)
    good(again, token)
    refused(again, token[:-1])


def test_token_survives_a_new_key_of_the_app(backend, app, token):
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "Key": "another-key-0123456789"}).ok()
    backend.secrets.add("another-key-0123456789")
    app.key = "another-key-0123456789"
    good(app, token)


def test_token_may_be_used_again_and_with_another_count(app, token):
    good(app, token)
    good(app, token)
    assert ids(page(app, token, 1)) == ["r5"]
    assert ids(page(app, token, 20)) == ["r5", "r4", "r3", "r2", "r1"]
