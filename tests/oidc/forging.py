"""Ways to make tokens that must not be taken."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.oidc.identities import github
from tests.oidc.issuer import Issuer, TlsServer, public_jwk

SHORT_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to see it refused
STRANGERS_KEY = rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Whom tokens are made with: the configured issuer, and a server that nobody configured."""

    issuer: Issuer
    decoy: TlsServer

    def claims(self, /, **changes: Any) -> dict[str, Any]:
        return github(self.issuer.url, **changes)

    def signed(self, /, **changes: Any) -> str:
        return self.issuer.sign(self.claims(**changes))

    def forged(self, **headers: Any) -> str:
        """Signed by a stranger, who writes into the header what he likes."""
        return self.issuer.sign(self.claims(), key=STRANGERS_KEY, **headers)

    def by_hand(self, header: str, claims: str) -> str:
        """Properly signed, whatever the text of header and claims is."""
        return self.issuer.jws(header.replace("KID", self.issuer.kid).encode(), claims.encode())


Make = Callable[[Scene], str]
HEADER = '{"alg":"RS256","typ":"JWT","kid":"KID"}'


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_pem(scene: Scene) -> bytes:
    key = scene.issuer.keys[scene.issuer.kid].public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.PEM, form))


def unsigned(scene: Scene, signature: str = "") -> str:
    header = encoded(json.dumps({"alg": "none", "kid": scene.issuer.kid}).encode())
    return f"{header}.{encoded(json.dumps(scene.claims()).encode())}.{signature}"


def hmac_with_public_key(scene: Scene) -> str:
    """PyJWT refuses to sign so; hence by hand."""
    header = {"alg": "HS256", "kid": scene.issuer.kid}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, scene.claims()))
    algorithm = jwt.get_algorithm_by_name("HS256")
    return f"{text}.{encoded(algorithm.sign(text.encode(), public_pem(scene)))}"


def with_served_key(key: Any, **jwk: str) -> Make:
    """Signed with a key that the issuer serves, but that does not do."""

    def make(scene: Scene) -> str:
        served = scene.issuer.jwks()
        served["keys"].append({**public_jwk(key, "odd"), **jwk})
        scene.issuer.serve(served)
        if isinstance(key, rsa.RSAPrivateKey):
            claims = json.dumps(scene.claims()).encode()
            return scene.issuer.jws(HEADER.replace("KID", "odd").encode(), claims, key)
        return scene.issuer.sign(scene.claims(), key=key, algorithm="ES384", kid="odd")

    return make


def with_served_secret(scene: Scene) -> str:
    secret = b"s" * 32
    served = scene.issuer.jwks()
    served["keys"].append({"kty": "oct", "kid": "odd", "k": encoded(secret), "alg": "HS256"})
    scene.issuer.serve(served)
    return scene.issuer.sign(scene.claims(), key=secret, algorithm="HS256", kid="odd")


def with_rs512_key(scene: Scene) -> str:
    served = scene.issuer.jwks()
    served["keys"].append({**public_jwk(STRANGERS_KEY, "odd"), "alg": "RS512"})
    scene.issuer.serve(served)
    return scene.issuer.sign(scene.claims(), key=STRANGERS_KEY, algorithm="RS512", kid="odd")


def cut_and_pasted(scene: Scene) -> str:
    """The claims of one token under the signature of another."""
    header, _, signature = scene.signed(event_name="release").split(".")
    return ".".join((header, scene.signed().split(".")[1], signature))


def flipped(scene: Scene) -> str:
    head, _, signature = scene.signed().rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def from_the_decoy(scene: Scene) -> str:
    return scene.issuer.sign(github(scene.decoy.url), key=STRANGERS_KEY)


def claims_text(scene: Scene, more: str) -> str:
    return json.dumps(scene.claims())[:-1] + more + "}"
