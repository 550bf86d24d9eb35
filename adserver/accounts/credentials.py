"""Passwords, tokens and second factors → what is stored of them, and whether one that is given is right.

Passwords by Argon2id with the library's parameters (RFC 9106, "low memory"); tokens are 256 bits of chance of
which only a SHA-256 digest is stored; second factors are TOTP (RFC 6238) in 30 s steps.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adserver.errors import Fault

#: NIST SP 800-63B-4, 3.1.1: 15 where it is the only factor; at most so much is hashed.
LEAST_PASSWORD_CHARS, MOST_PASSWORD_CHARS = 15, 256
_HASHER = PasswordHasher()
_STEP_SECONDS = 30
#: A code is taken one step early or late, for clocks that differ.
_STEPS_APART = 1


@cache
def _nobodys() -> str:
    """What is verified when there is no such user, so that the answer takes as long."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def password_faults(password: str, email: str) -> list[Fault]:
    """What is wrong with a new password."""
    if not LEAST_PASSWORD_CHARS <= len(password) <= MOST_PASSWORD_CHARS:
        problem = f"must have {LEAST_PASSWORD_CHARS} to {MOST_PASSWORD_CHARS} characters: a few words do"
        return [Fault("", "password", problem)]
    if len(set(password)) < 5:
        return [Fault("", "password", "repeats a few characters only")]
    if email.partition("@")[0].lower() in password.lower():
        return [Fault("", "password", "holds the name of the e-mail address")]
    return []


def hash_password(password: str) -> str:
    """What is stored of a password. Takes some tens of milliseconds and 64 MiB on purpose."""
    return _HASHER.hash(password)


def password_is_right(stored: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed; takes as long when none is stored."""
    try:
        return _HASHER.verify(stored or _nobodys(), password[:MOST_PASSWORD_CHARS]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def new_token(prefix: str = "") -> str:
    """A secret text that nobody can guess, safe in URLs, cookies and headers."""
    return prefix + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is stored of a token, in hex. Chance is not guessed, so one fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_totp_secret() -> str:
    """A secret for an authenticator app, in base32."""
    return pyotp.random_base32()


def totp_address(secret: str, email: str, issuer: str) -> str:
    """The `otpauth://` address that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def totp_step(secret: str, code: str, at: datetime) -> int | None:
    """The step of time of which a six-digit code is, near an instant; None: of none."""
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        return None
    now = int(at.timestamp()) // _STEP_SECONDS
    try:
        totp = pyotp.TOTP(secret)
    except ValueError:
        return None
    for step in range(now - _STEPS_APART, now + _STEPS_APART + 1):
        if secrets.compare_digest(totp.at(step * _STEP_SECONDS), code):
            return step
    return None
