"""Passwords: the real hash, and the same work for names that aren't there."""

from __future__ import annotations

from statistics import median
from time import process_time

from perf.access import passwords
from perf.access.passwords import hashed, verified
from perf.model.access import Role
from perf.settings import User

USERS = {"ada": User(role=Role.ADMIN, hash=hashed("correct horse"))}


def test_the_right_password_of_the_right_person_is_taken() -> None:
    assert verified(USERS, "ada", "correct horse")
    assert not verified(USERS, "ada", "correct horsf")
    assert not verified(USERS, "ada", "")
    assert not verified(USERS, "otto", "correct horse")
    assert not verified({"ada": User(hash="$argon2id$broken")}, "ada", "correct horse")


def test_hashes_are_salted_and_argon2id() -> None:
    assert hashed("a") != hashed("a")
    assert hashed("a").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_too_long_is_not_taken_for_its_beginning() -> None:
    long = "x" * passwords.LONGEST
    users = {"ada": User(hash=hashed(long))}
    assert verified(users, "ada", long)
    assert not verified(users, "ada", long + "y")


def test_a_name_that_is_not_there_takes_as_long() -> None:
    def seconds(name: str) -> float:
        begin = process_time()  # of all threads, the hash takes four; what other programs do doesn't count
        verified(USERS, name, "wrong")
        return process_time() - begin

    pairs = [(seconds("ada"), seconds("nobody")) for _ in range(3)]
    # Without the work it would be a thousandth; a loaded machine makes single runs vary.
    assert median(there / missing for there, missing in pairs) < 5.0
    assert median(missing / there for there, missing in pairs) < 5.0
