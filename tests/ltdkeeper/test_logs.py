"""The log is one JSON object a line, holds no access token, and no library's DEBUG."""

import logging
from typing import Any

import pytest
import structlog

from ltdkeeper.logs import NEVER_BELOW_INFO, logging_settings, mask_tokens
from tests.ltdkeeper.log_lines import log_at

ID, SECRET = "a1b2c3d4e5f6", "0123456789abcdef" * 4
LIBRARIES = ["botocore", "boto3", "urllib3", "s3transfer"]
TELL_TALES = ["botocore.parsers", "botocore.auth", "botocore.endpoint", "urllib3.connectionpool"]

# text -> masked
MASKED = {
    "key": (f"ltdk_{ID}_{SECRET}", f"ltdk_{ID}_***"),
    "access token": (f"ltds_{ID}_{SECRET}", f"ltds_{ID}_***"),
    "job token": (f"ltdj_{ID}_{SECRET}", f"ltdj_{ID}_***"),
    "in a header": (f"Bearer ltdk_{ID}_{SECRET}", f"Bearer ltdk_{ID}_***"),
    "in an address": (f"https://ltdk_{ID}_{SECRET}@x/", f"https://ltdk_{ID}_***@x/"),
    "in quotes": (f"{{'key': 'ltdk_{ID}_{SECRET}'}}", f"{{'key': 'ltdk_{ID}_***'}}"),
    "twice": (f"ltdk_{ID}_{SECRET} ltds_{ID}_{SECRET}", f"ltdk_{ID}_*** ltds_{ID}_***"),
    "behind a letter": (f"%22ltdk_{ID}_{SECRET}", f"%22ltdk_{ID}_***"),
    "cut short": (f"ltdk_{ID}_{SECRET[:20]}", f"ltdk_{ID}_***"),
    "name of a key": (f"ltdk_{ID}", f"ltdk_{ID}"),
    "plain text": ("nothing to hide", "nothing to hide"),
}


def test_secret_part_of_a_token_is_masked() -> None:
    for text, expected in MASKED.values():
        event = mask_tokens(None, "info", {"event": text, "more": text, "number": 7})
        assert event == {"event": expected, "more": expected, "number": 7}


def test_libraries_stay_at_info_when_everything_is_at_debug() -> None:
    with log_at("DEBUG") as lines:
        logging.getLogger("credentials.vending.sts").debug("ours")
        for name in LIBRARIES + TELL_TALES:
            logging.getLogger(name).debug("SecretAccessKey")
            logging.getLogger(name).info(name)
    assert [line["event"] for line in lines()] == ["ours", *LIBRARIES, *TELL_TALES]


def test_connection_pool_says_nothing_of_each_request() -> None:
    with log_at("INFO") as lines:
        logging.getLogger("psycopg.pool").info("connection requested")
        logging.getLogger("psycopg.pool").warning("discarding closed connection")
    assert [line["event"] for line in lines()] == ["discarding closed connection"]


def test_every_library_that_prints_secrets_is_named() -> None:
    assert set(LIBRARIES) == set(NEVER_BELOW_INFO)


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_libraries_are_not_louder_than_the_service(level: str) -> None:
    config = logging_settings(level=level, renderer="json")
    assert config["root"]["level"] == level
    assert {config["loggers"][name]["level"] for name in LIBRARIES} == {level}


def test_line_says_what_when_where_and_how_bad() -> None:
    with log_at("INFO") as lines:
        structlog.get_logger("credentials.fresh").warning("refused", store="main", count=2)
    [line] = lines()
    moment = line.pop("timestamp")
    assert moment.endswith("Z")
    assert line == {
        "event": "refused",
        "store": "main",
        "count": 2,
        "level": "warning",
        "logger": "credentials.fresh",
    }


def test_line_of_a_library_has_the_same_form() -> None:
    with log_at("INFO") as lines:
        logging.getLogger("some.library").info("told %s", "you")
    [line] = lines()
    assert (line["event"], line["level"]) == ("told you", "info")
    assert line["logger"] == "some.library"


def test_line_of_django_leaves_the_request_out() -> None:
    more = {"status_code": 500, "request": "<WSGIRequest: GET '/x?X-Amz-Signature=1'>"}
    with log_at("INFO") as lines:
        logging.getLogger("django.request").error("failed", extra=more)
        logging.getLogger("django.request").warning("Not Found: /x", extra=more)
    [line] = lines()
    assert (line["event"], line["status_code"]) == ("failed", 500)
    assert "Signature" not in str(line)


def test_line_carries_what_is_bound_to_the_request() -> None:
    with log_at("INFO") as lines, structlog.contextvars.bound_contextvars(request_id="01j"):
        structlog.get_logger("credentials.other").info("a")
        logging.getLogger("some.library").info("b")
    assert [line["request_id"] for line in lines()] == ["01j", "01j"]


def fail() -> None:
    raise ValueError(f"key ltdk_{ID}_{SECRET} was refused")


def test_token_in_a_traceback_is_masked() -> None:
    with log_at("INFO") as lines:
        try:
            fail()
        except ValueError:
            logging.getLogger("some.library").exception("failed")
    [line] = lines()
    assert "ValueError" in line["exception"]
    assert SECRET not in str(line)


def test_token_in_a_library_s_arguments_is_masked() -> None:
    with log_at("INFO") as lines:
        logging.getLogger("some.library").info("sent %s", {"auth": f"ltdk_{ID}_{SECRET}"})
    assert SECRET not in str(lines())


def test_long_text_of_a_caller_is_cut_but_no_traceback() -> None:
    with log_at("INFO") as lines:
        error = ValueError("x" * 5000)
        structlog.get_logger("credentials.long").error("request", exc_info=error, path="/" * 5000)
    [line] = lines()
    assert (len(line["path"]), len(line["exception"]) > 5000) == (1003, True)


def test_terminal_is_not_told_what_to_do() -> None:
    formatter = logging_settings(level="INFO", renderer="console")["formatters"]["structured"]
    event: Any = {"event": "request", "path": "/\x1b[2J", "exception": "a\nb"}
    for processor in formatter["processors"][-2:]:
        event = processor(None, "info", event)
    assert ("\x1b" in event, "\\x1b[2J" in event, "a\nb" in event) == (False, True, True)


def test_lines_below_the_level_are_left_out() -> None:
    with log_at("WARNING") as lines:
        logging.getLogger("credentials").info("quiet")
        structlog.get_logger("credentials.quiet").info("quiet")
    assert lines() == []


def test_people_read_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    formatter = logging_settings(level="INFO", renderer="console")["formatters"]["structured"]
    *_, final = formatter["processors"]
    assert "\x1b" not in final(None, "info", {"event": "told", "store": "main"})
