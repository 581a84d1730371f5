"""The configuration of a cluster of one monitor, one in-memory OSD and one gateway."""

import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
# The memory store takes memory only as it is used; this is the ceiling.
MEMORY_BYTES = 2 * 1024**3
# The gateway refuses shorter sessions. Small, so that a real expiry can be waited for.
SHORTEST_SESSION_SECONDS = 2
# Ceph takes exactly this length for the key that encrypts session tokens.
STS_KEY_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Where a cluster keeps its files and which loopback ports it takes. Every one has own ids."""

    folder: Path
    monitor_port: int
    gateway_port: int
    cluster_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sts_key: str = field(default_factory=lambda: secrets.token_hex(STS_KEY_LENGTH // 2), repr=False)

    @property
    def file(self) -> Path:
        return self.folder / "ceph.conf"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def monitor_address(self) -> str:
        return f"v1:{HOST}:{self.monitor_port}"

    def write(self) -> None:
        """Write `ceph.conf` and make the folders that it names."""
        for name in ("mon", "osd", "run", "log", "rgw"):
            (self.folder / name).mkdir()
        self.file.write_text(self._text())

    def _text(self) -> str:
        sections = {
            "global": self._everywhere(),
            "mon.a": {
                "mon data": self.folder / "mon",
                # A nearly full disk of the host is not this cluster's concern.
                "mon data avail crit": 1,
                "mon data avail warn": 1,
            },
            "osd.0": {
                # Debian 13's packages have a relative path as the default.
                "osd class dir": next(Path("/usr/lib").glob("*/rados-classes"), ""),
                "osd data": self.folder / "osd",
                "osd objectstore": "memstore",
                "memstore device bytes": MEMORY_BYTES,
                "osd numa auto affinity": "false",
            },
            "client.rgw.a": self._gateway(),
        }
        lines = []
        for section, options in sections.items():
            lines += [f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]
        return "\n".join(lines) + "\n"

    def _everywhere(self) -> dict[str, object]:
        return {
            "fsid": self.cluster_id,
            "mon host": f"{self.monitor_address}/0",
            "public addr": HOST,
            "cluster addr": HOST,
            "public network": "127.0.0.0/8",
            "cluster network": "127.0.0.0/8",
            "ms bind msgr2": "false",
            "ms bind ipv6": "false",
            # Loopback and throwaway: the daemons need no keys among themselves.
            "auth cluster required": "none",
            "auth service required": "none",
            "auth client required": "none",
            "auth allow insecure global id reclaim": "false",
            "run dir": self.folder / "run",
            "crash dir": self.logs,
            "log file": self.logs / "$name.log",
            "admin socket": "",
            "osd pool default size": 1,
            "osd pool default min size": 1,
            "osd pool default pg num": 1,
            "osd pool default pgp num": 1,
            "osd pool default pg autoscale mode": "off",
            "osd crush chooseleaf type": 0,
            "mon allow pool size one": "true",
            "mon max pg per osd": 2000,
            "mon warn on pool no redundancy": "false",
            # Batching of decisions by the second costs many seconds while the gateway makes its
            # pools one after the other.
            "paxos propose interval": 0.02,
            "paxos min wait": 0.01,
        }

    def _gateway(self) -> dict[str, object]:
        return {
            "rgw data": self.folder / "rgw",
            # Without tcp_nodelay every answer with a body waits for a delayed acknowledgement.
            "rgw frontends": f"beast endpoint={HOST}:{self.gateway_port} tcp_nodelay=1",
            "rgw enable apis": "s3, sts, iam, admin",
            "rgw dns name": "localhost",
            "rgw s3 auth use sts": "true",
            "rgw sts key": self.sts_key,
            "rgw sts min session duration": SHORTEST_SESSION_SECONDS,
            "rgw thread pool size": 64,
            "rgw run sync thread": "false",
            "rgw dynamic resharding": "false",
            "rgw num control oids": 1,
        }
