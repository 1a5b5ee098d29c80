import io

import pytest

from nv2.errors import BadAnswer
from nv2.transport.interface import Request, Response
from nv2.transport.redirects import next_request

SECRET = {"Authorization": "Basic c2VjcmV0", "Accept": "*/*"}


def follow(
    location: str, *, method: str = "GET", status: int = 307, url: str = "https://r.test/v2/"
) -> Request | None:
    request = Request(method, url, SECRET)
    return next_request(request, Response(status, {"location": location}, io.BytesIO(), request))


def test_authorization_stays_with_the_same_origin() -> None:
    found = follow("/elsewhere")
    assert found is not None and found.headers == SECRET and found.url == "https://r.test/elsewhere"


@pytest.mark.parametrize(("location", "led"), [("/elsewhere", False), ("https://other.test/", True)])
def test_who_is_sent_to_another_origin_is_led_there(location: str, led: bool) -> None:
    found = follow(location)
    assert found is not None and found.led is led


@pytest.mark.parametrize("location", ["https://other.test/", "https://r.test:8443/", "https://sub.r.test/"])
def test_authorization_never_goes_to_another_origin(location: str) -> None:
    found = follow(location)
    assert found is not None and found.headers == {"Accept": "*/*"}


def test_the_default_port_written_out_is_the_same_origin() -> None:
    found = follow("https://r.test:443/x")
    assert found is not None and "Authorization" in found.headers


def test_tls_is_never_given_up() -> None:
    with pytest.raises(BadAnswer, match="from https to http"):
        follow("http://r.test/")


@pytest.mark.parametrize(
    "location", ["https://169.254.169.254/latest", "https://127.0.0.1/", "https://localhost/"]
)
def test_a_public_host_cannot_send_to_this_machine_or_to_link_local(location: str) -> None:
    with pytest.raises(BadAnswer, match="sends to"):
        follow(location)


def test_storage_at_a_private_address_is_followed() -> None:
    assert follow("https://10.0.0.7/blob") is not None


def test_a_registry_on_this_machine_may_have_its_storage_here() -> None:
    assert follow("http://127.0.0.1:9000/blob", url="http://localhost:5000/v2/") is not None


def test_a_post_never_takes_its_body_to_another_origin() -> None:
    assert follow("https://other.test/", method="POST") is None


def test_a_put_goes_on_when_the_method_is_kept() -> None:
    found = follow("https://storage.test/x", method="PUT")
    assert found is not None and found.method == "PUT" and "Authorization" not in found.headers


def test_a_put_is_not_turned_into_something_else() -> None:
    assert follow("https://r.test/x", method="PUT", status=302) is None


def test_an_answer_without_location_is_the_answer() -> None:
    request = Request("GET", "https://r.test/")
    assert next_request(request, Response(302, {}, io.BytesIO(), request)) is None


def test_an_answer_that_comes_a_byte_at_a_time_is_not_copied_for_each() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    request = Request("GET", "https://r.test/v2/")
    assert len(Response(200, {}, Drip(bytes(200_000)), request).data()) == 200_000
