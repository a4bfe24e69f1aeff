from __future__ import annotations

from csms.control.buckets import Buckets, TokenBucket


def test_a_bucket_may_be_overdrawn_and_holds_no_more_than_its_most() -> None:
    bucket = TokenBucket(2.0, 4.0, 0.0)
    assert bucket.take(4, 0.0) == 0.0
    assert bucket.take(3, 0.0) == 1.5
    assert bucket.left(1.0) == -1.0
    assert bucket.left(100.0) == 4.0


def test_a_bucket_with_a_least_owes_no_more_than_that() -> None:
    bucket = TokenBucket(2.0, 4.0, 0.0, least=0.0)
    assert bucket.take(10, 0.0) == 0.0
    assert bucket.left(0.0) == 0.0
    assert bucket.left(0.5) == 1.0


def test_every_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(2, 10)
    for _ in range(2):
        assert buckets.has("a", 0.0)
        buckets.take("a", 0.0)
    assert not buckets.has("a", 29.0)
    assert buckets.has("a", 31.0)
    assert buckets.has("b", 0.0)


def test_a_bucket_may_hold_more_than_it_gains_in_a_minute() -> None:
    buckets = Buckets(1, 10, most=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [False, False, True, False]
    assert not buckets.has("a", 59.0)
    assert buckets.has("a", 61.0)


def test_that_nothing_is_left_is_told_once_a_minute() -> None:
    buckets = Buckets(1, 10)
    told = [at for at in range(130) if buckets.take("a", float(at))]
    assert told == [0, 60, 120]


def test_the_bucket_longest_not_used_goes() -> None:
    buckets = Buckets(1, 2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)
    assert len(buckets) == 2
    assert [buckets.has(key, 0.0) for key in "abc"] == [False, True, False]
