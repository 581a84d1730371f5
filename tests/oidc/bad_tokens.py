"""Tokens that must be refused, each with the right code, as one table.

The rule that they meet trusts pushes to the branch main of one GitHub repository.
"""

import json

from cryptography.hazmat.primitives.asymmetric import ec

from tests.oidc.forging import (
    HEADER,
    SHORT_KEY,
    STRANGERS_KEY,
    Make,
    claims_text,
    cut_and_pasted,
    flipped,
    from_the_decoy,
    hmac_with_public_key,
    unsigned,
    with_rs512_key,
    with_served_key,
    with_served_secret,
)
from tests.oidc.identities import AUDIENCE
from tests.oidc.issuer import public_jwk, seconds_from_now

INVALID = (400, "invalid_token")
NO_RULE = (403, "no_matching_publisher")
UNKNOWN = (403, "unknown_issuer")
AUDIENCE_WRONG = (400, "wrong_audience")

FORMS: dict[str, Make] = {
    "nothing": lambda _: "",
    "four parts": lambda scene: scene.signed() + ".AAAA",
    "padding": lambda scene: scene.signed() + "==",
    "over 16 KB": lambda scene: scene.signed(filler="x" * 16_384),
    "claims in UTF-16": lambda scene: scene.issuer.jws(
        HEADER.replace("KID", scene.issuer.kid).encode(),
        json.dumps(scene.claims()).encode("utf-16"),
    ),
    "NaN among the claims": lambda scene: scene.by_hand(HEADER, claims_text(scene, ',"x":NaN')),
    "half a character in the issuer": lambda scene: scene.signed(iss="\ud800"),
    "NUL in the issuer": lambda scene: scene.signed(iss=f"{scene.issuer.url}\0"),
    "NUL in the name of the key": lambda scene: scene.issuer.sign(scene.claims(), kid="a\0"),
    "a number of 4,400 digits": lambda scene: scene.by_hand(
        HEADER, claims_text(scene, f',"x":{"9" * 4400}')
    ),
    "a claim twice": lambda scene: scene.by_hand(
        HEADER, claims_text(scene, ',"repository_id":"74"')
    ),
    "a header twice": lambda scene: scene.by_hand(
        '{"alg":"none","alg":"RS256","kid":"KID"}', json.dumps(scene.claims())
    ),
    "crit that PyJWT knows": lambda scene: scene.by_hand(
        '{"alg":"RS256","kid":"KID","crit":["b64"],"b64":true}', json.dumps(scene.claims())
    ),
    "b64 false": lambda scene: scene.by_hand(
        '{"alg":"RS256","kid":"KID","b64":false}', json.dumps(scene.claims())
    ),
}

SIGNATURES: dict[str, Make] = {
    "alg none": unsigned,
    "HS256 with the public key": hmac_with_public_key,
    "HS256 with a secret that is served": with_served_secret,
    "RS512 with a key for it": with_rs512_key,
    "ES384": with_served_key(ec.generate_private_key(ec.SECP384R1())),
    "RSA key of 1024 bits": with_served_key(SHORT_KEY),
    "key for encryption": with_served_key(STRANGERS_KEY, use="enc"),
    "unknown kid": lambda scene: scene.issuer.sign(scene.claims(), kid="nobody's"),
    "no kid": lambda scene: scene.issuer.sign(scene.claims(), kid=None),
    "a stranger's signature": lambda scene: scene.forged(),
    "flipped signature": flipped,
    "another token's signature": cut_and_pasted,
    "jku elsewhere": lambda scene: scene.forged(jku=scene.decoy.url),
    "x5u elsewhere": lambda scene: scene.forged(x5u=scene.decoy.url),
    "embedded jwk": lambda scene: scene.forged(jwk=public_jwk(STRANGERS_KEY, scene.issuer.kid)),
}

CLAIMS: dict[str, Make] = {
    "no exp": lambda scene: scene.signed(exp=None),
    "no iat": lambda scene: scene.signed(iat=None),
    "no aud": lambda scene: scene.signed(aud=None),
    "aud that is an empty list": lambda scene: scene.signed(aud=[]),
    "no iss": lambda scene: scene.signed(iss=None),
    "iss that is a list": lambda scene: scene.by_hand(
        HEADER, json.dumps({**scene.claims(), "iss": [scene.issuer.url]})
    ),
    "future nbf": lambda scene: scene.signed(nbf=seconds_from_now(60)),
    "future iat": lambda scene: scene.signed(iat=seconds_from_now(60)),
    "exp in two months": lambda scene: scene.signed(exp=seconds_from_now(61 * 86_400)),
    "exp beyond all calendars": lambda scene: scene.signed(exp=10**17),
    "exp without end": lambda scene: scene.by_hand(
        HEADER, json.dumps(scene.claims(exp=None))[:-1] + ',"exp":1e999}'
    ),
    "nbf of 400 digits before all time": lambda scene: scene.by_hand(
        HEADER, json.dumps(scene.claims())[:-1] + f',"nbf":-{"9" * 400}}}'
    ),
    "exp in text": lambda scene: scene.signed(exp=str(seconds_from_now(300))),
    "exp that is true": lambda scene: scene.signed(exp=seconds_from_now(300), nbf=True),
    "jti that is a number": lambda scene: scene.signed(jti=7),
}

ISSUERS: dict[str, Make] = {
    "an issuer that nobody configured": from_the_decoy,
    "the issuer in capitals": lambda scene: scene.signed(iss=scene.issuer.url.upper()),
    "a path behind the issuer": lambda scene: scene.signed(iss=scene.issuer.url + "/octo"),
    "a space before the issuer": lambda scene: scene.signed(iss=" " + scene.issuer.url),
    "the decoy behind an @": lambda scene: scene.signed(
        iss=f"{scene.issuer.url}@{scene.decoy.url.removeprefix('https://')}"
    ),
    "GitHub's own, not configured": lambda scene: scene.signed(
        iss="https://token.actions.githubusercontent.com"
    ),
}

AUDIENCES: dict[str, Make] = {
    "another's": lambda scene: scene.signed(aud="https://pypi.org"),
    "GitHub's default": lambda scene: scene.signed(aud="https://github.com/octo-org"),
    "a slash behind": lambda scene: scene.signed(aud=AUDIENCE + "/"),
    "two": lambda scene: scene.signed(aud=[AUDIENCE, "https://pypi.org"]),
    "two, ours last": lambda scene: scene.signed(aud=["https://pypi.org", AUDIENCE]),
    "ours twice": lambda scene: scene.signed(aud=[AUDIENCE, AUDIENCE]),
    "a list of another's": lambda scene: scene.signed(aud=["https://pypi.org"]),
    "a list of a list": lambda scene: scene.signed(aud=[[AUDIENCE]]),
    "an object": lambda scene: scene.signed(aud={AUDIENCE: True}),
}

STRANGERS: dict[str, Make] = {
    "another repository of the same name": lambda scene: scene.signed(repository_id="75"),
    "the repository under another owner": lambda scene: scene.signed(repository_owner_id="66"),
    "no numbers at all": lambda scene: scene.signed(repository_id=None, repository_owner_id=None),
    "a list with the number": lambda scene: scene.signed(repository_id=["74"]),
    "a tag named main": lambda scene: scene.signed(ref="refs/tags/main", ref_type="tag"),
    "another branch": lambda scene: scene.signed(ref="refs/heads/main2"),
    "pull_request_target": lambda scene: scene.signed(event_name="pull_request_target"),
    "pull_request": lambda scene: scene.signed(
        event_name="pull_request", ref="refs/pull/7/merge", head_ref="x", base_ref="main"
    ),
    "no event": lambda scene: scene.signed(event_name=None),
}

EXPIRED: dict[str, Make] = {
    "a minute ago": lambda scene: scene.signed(exp=seconds_from_now(-60)),
    "in the year 1969": lambda scene: scene.signed(exp=-1),
}

TABLES: tuple[tuple[dict[str, Make], tuple[int, str]], ...] = (
    (FORMS, INVALID),
    (SIGNATURES, INVALID),
    (CLAIMS, INVALID),
    (ISSUERS, UNKNOWN),
    (AUDIENCES, AUDIENCE_WRONG),
    (EXPIRED, (400, "expired")),
    (STRANGERS, NO_RULE),
)
BAD_TOKENS = {
    f"{code}: {name}": (make, status, code)
    for table, (status, code) in TABLES
    for name, make in table.items()
}
