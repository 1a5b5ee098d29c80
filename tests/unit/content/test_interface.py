from nv2.content.interface import opener


def test_an_opener_opens_the_same_bytes_anew_each_time() -> None:
    source = opener(b"layer")
    with source() as first, source() as second:
        assert first.read(2) == b"la"
        assert second.read() == b"layer"
        assert first.read() == b"yer"
