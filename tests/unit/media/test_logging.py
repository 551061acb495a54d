import json
import logging

from media.logging import JsonFormatter, log_fields


def record(message: str, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"msg": message, "name": "service", "levelname": "INFO", "created": 0.0, **more}
    )


def test_a_record_is_one_line_of_json_with_its_fields() -> None:
    line = JsonFormatter().format(record("Two\nlines", fields={"status": 200}))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "info",
        "logger": "service",
        "message": "Two\nlines",
        "status": 200,
    }


def test_an_exception_is_logged_on_the_same_line() -> None:
    error = ValueError("broken")
    line = JsonFormatter().format(record("It crashed", exc_info=(ValueError, error, None)))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: broken")


def test_fields_of_the_context_are_added_and_a_records_own_come_last() -> None:
    with log_fields(job_id="job_1", attempt=1), log_fields(attempt=2, trace_id=None):
        inside = json.loads(JsonFormatter().format(record("Inside", fields={"status": 200})))
    outside = json.loads(JsonFormatter().format(record("Outside")))
    assert (inside["job_id"], inside["attempt"], inside["status"]) == ("job_1", 2, 200)
    assert "trace_id" not in inside
    assert "job_id" not in outside
