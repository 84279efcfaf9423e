"""A program: an OpenID Connect provider on the port that is its argument, with people who sign in by one click."""

from __future__ import annotations

import sys

import flask
from oidc_provider_mock import User, init_app
from werkzeug.serving import run_simple

PEOPLE = (
    User(sub="olga", claims={"email": "olga@example.com", "groups": ["staff", "sre"]}),
    User(sub="adam", claims={"email": "adam@example.com", "groups": ["sre", "platform"]}),
    User(sub="gast", claims={"email": "gast@example.com", "groups": ["guests"]}),
    User(sub="fake", claims={"email": "fake@example.com", "email_verified": False, "groups": ["platform"]}),
)

if __name__ == "__main__":
    app = flask.Flask("provider")
    init_app(app, require_nonce=True, user_claims=PEOPLE)
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
