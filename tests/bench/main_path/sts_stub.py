"""A small asynchronous STS on loopback, run as a program: `python sts_stub.py`.

It prints its port and ends with its standard input. `GET /?latency_ms=40&quota=100` sets how long
it waits before it answers AssumeRole and how many it answers within a second (0: any number);
beyond that it refuses with `Throttling`. `GET /` gives its counters. PUT throws an object away.
Nothing is checked.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

ANSWER = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
    "<AssumedRoleUser><AssumedRoleId>AROASTUBSTUBSTUBSTUB:bench</AssumedRoleId>"
    "<Arn>arn:aws:sts::123456789012:assumed-role/upload/bench</Arn></AssumedRoleUser>"
    "<Credentials><AccessKeyId>ASIA{number:016d}</AccessKeyId>"
    "<SecretAccessKey>stub-{number:035d}</SecretAccessKey>"
    "<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>"
    "<PackedPolicySize>40</PackedPolicySize></AssumeRoleResult>"
    "<ResponseMetadata><RequestId>stub-{number}</RequestId></ResponseMetadata></AssumeRoleResponse>"
)
REFUSAL = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
    "<RequestId>stub</RequestId></ErrorResponse>"
)
TOKEN = "stub-session-token-" * 40  # 760 characters, about as long as real ones


class Stub:
    """The answers and their counters."""

    def __init__(self) -> None:
        self.latency_seconds = 0.0
        self.quota = 0
        self.answered = 0
        self.refused = 0
        self._second = 0
        self._this_second = 0

    def set_up(self, query: str) -> bytes:
        options = parse_qs(query)
        if "latency_ms" in options:
            self.latency_seconds = float(options["latency_ms"][0]) / 1000
        if "quota" in options:
            self.quota = int(options["quota"][0])
        counters = {"answered": self.answered, "refused": self.refused}
        return _response(200, json.dumps(counters), "application/json")

    def assume(self, body: bytes) -> bytes:
        if self._is_over_quota():
            self.refused += 1
            return _response(400, REFUSAL, "text/xml")
        self.answered += 1
        seconds = int(parse_qs(body.decode())["DurationSeconds"][0])
        expiration = datetime.now(UTC) + timedelta(seconds=seconds)
        answer = ANSWER.format(
            number=self.answered, token=TOKEN, expiration=expiration.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        return _response(200, answer, "text/xml")

    def _is_over_quota(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._this_second = second, 0
        self._this_second += 1
        return bool(self.quota) and self._this_second > self.quota

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request, _, headers = head.partition(b"\r\n")
                method, address, _ = request.decode().split(" ")
                if method == "PUT":  # an object, which is thrown away as it comes
                    await _discard(reader, _content_length(headers))
                    writer.write(_response(200, "", "text/xml"))
                    continue
                body = await reader.readexactly(_content_length(headers))
                if method == "GET":
                    writer.write(self.set_up(urlsplit(address).query))
                else:
                    if self.latency_seconds:
                        await asyncio.sleep(self.latency_seconds)
                    writer.write(self.assume(body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def _discard(reader: asyncio.StreamReader, length: int) -> None:
    while length and (part := await reader.read(min(length, 1 << 20))):
        length -= len(part)


def _content_length(headers: bytes) -> int:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _response(status: int, body: str, media_type: str) -> bytes:
    text = body.encode()
    head = (
        f"HTTP/1.1 {status} -\r\nContent-Type: {media_type}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


async def main() -> None:
    server = await asyncio.start_server(Stub().serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
