import pytest

from nv2.transport.retry import MAX_RETRY_AFTER, delay_before, may_retry

NOON = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_failures_of_idempotent_requests_are_tried_again(status: int) -> None:
    assert may_retry(status, idempotent=True)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 501])
def test_other_answers_stand(status: int) -> None:
    assert not may_retry(status, idempotent=True)


def test_a_post_is_repeated_only_if_the_peer_did_nothing() -> None:
    assert may_retry(429, idempotent=False) and may_retry(503, idempotent=False)
    assert not may_retry(500, idempotent=False)


def test_delays_double() -> None:
    assert [delay_before(n, {}, NOON, 0.5) for n in (2, 3, 4)] == [0.25, 0.5, 1.0]


def test_retry_after_in_seconds_is_kept() -> None:
    assert delay_before(2, {"retry-after": "7"}, NOON, 0.5) == 7.0


def test_retry_after_as_a_date_is_kept() -> None:
    assert delay_before(2, {"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT"}, NOON, 0.5) == 10.0


def test_a_date_that_has_passed_means_now() -> None:
    assert delay_before(2, {"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, NOON, 0.5) == 0.0


def test_whoever_wants_more_time_than_the_limit_is_not_asked_again() -> None:
    assert delay_before(2, {"retry-after": str(int(MAX_RETRY_AFTER) + 1)}, NOON, 0.5) is None


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", ""])
def test_a_retry_after_that_cannot_be_read_counts_as_absent(value: str) -> None:
    assert delay_before(2, {"retry-after": value}, NOON, 0.5) == 0.25
