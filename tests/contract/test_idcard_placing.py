"""When a card in the field is news, for both kinds of reader; time is a number here."""

from drivers.base import CardGone
from drivers.idcard_placing import PlacingWatch

ZHANG, LI = b"text of one card", b"text of another"


def test_card_is_news_once_while_the_reader_goes_on_finding_it() -> None:
    watch = PlacingWatch(2.0)
    assert not watch.dealt_with(0.0)
    assert watch.read(1.0, ZHANG)
    # The first time it is found again it might be another card, on a reader that never finds one twice.
    assert not watch.dealt_with(1.3)
    assert not watch.read(1.4, ZHANG)
    for tenth in range(17, 300, 3):
        assert watch.dealt_with(tenth / 10)


def test_reader_that_is_known_to_go_on_finding_a_card_is_not_asked_twice() -> None:
    watch = PlacingWatch(2.0, keeps_finding=True)
    assert watch.read(1.0, ZHANG)
    assert watch.dealt_with(1.3)


def test_cards_exchanged_between_two_looks_are_noticed_on_a_reader_that_never_finds_one_twice() -> None:
    watch = PlacingWatch(2.0)
    assert watch.read(1.0, ZHANG)
    assert not watch.dealt_with(1.3)
    assert watch.read(1.4, LI)


def test_card_is_gone_once_after_the_debounce() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    assert [watch.not_found(t) for t in (0.3, 1.9, 2.0, 2.3, 9.0)] == [None, None, CardGone(), None, None]


def test_no_card_ever_is_no_news() -> None:
    assert PlacingWatch(2.0).not_found(100.0) is None


def test_flicker_is_the_same_placing() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    assert watch.not_found(0.3) is None
    assert not watch.dealt_with(0.6)
    assert not watch.read(1.0, ZHANG)
    assert watch.not_found(2.5) is None
    assert watch.not_found(3.0) == CardGone()


def test_same_card_after_the_debounce_is_a_new_placing_even_if_nobody_looked_between() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    assert watch.not_found(0.3) is None
    assert not watch.dealt_with(2.1)
    assert watch.read(2.2, ZHANG)


def test_another_card_is_a_new_placing_at_once() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    watch.not_found(0.3)
    assert not watch.dealt_with(0.6)
    assert watch.read(0.9, LI)


def test_card_exchanged_while_nobody_looked_is_noticed_and_one_that_stayed_is_no_news() -> None:
    watch = PlacingWatch(2.0, keeps_finding=True)
    watch.read(0.0, ZHANG)
    assert not watch.dealt_with(5.0)
    assert not watch.read(5.5, ZHANG)
    assert not watch.dealt_with(9.0)
    assert watch.read(9.5, LI)


def test_exchange_that_only_the_slot_saw_is_noticed() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    watch.pause()
    assert not watch.dealt_with(0.5)
    assert watch.read(0.6, LI)


def test_card_placed_again_after_a_refusal_is_read_at_once() -> None:
    watch = PlacingWatch(2.0, keeps_finding=True)
    assert watch.refused(0.0)
    assert watch.dealt_with(0.3)
    assert watch.not_found(0.6) is None
    assert not watch.dealt_with(0.9)
    assert watch.read(1.0, ZHANG)


def test_card_refused_again_after_it_was_placed_again_is_news() -> None:
    watch = PlacingWatch(2.0)
    assert watch.refused(0.0)
    watch.not_found(0.3)
    assert watch.refused(0.6)


def test_card_that_stays_refused_is_news_once() -> None:
    watch = PlacingWatch(2.0)
    assert watch.refused(0.0)
    assert not watch.dealt_with(0.3)
    assert not watch.refused(0.5)
    assert watch.dealt_with(0.8)


def test_refusal_while_a_card_that_was_read_is_being_lifted_is_no_news() -> None:
    watch = PlacingWatch(2.0)
    assert watch.read(0.0, ZHANG)
    watch.not_found(0.3)
    assert not watch.refused(0.6)
    assert watch.not_found(2.0) == CardGone()


def test_card_that_was_read_and_cannot_be_selected_again_is_the_same_placing_however_long_it_lies_there() -> None:
    watch = PlacingWatch(2.0)
    assert watch.read(0.0, ZHANG)
    assert not watch.refused(0.3, lies_there=True)
    # The reader goes on finding it: from now on nothing is asked of the card.
    for tenth in range(6, 100, 3):
        assert watch.dealt_with(tenth / 10)
    assert watch.not_found(10.2) is None
    assert watch.not_found(12.0) == CardGone()


def test_card_that_cannot_be_selected_and_was_never_read_is_news() -> None:
    watch = PlacingWatch(2.0)
    assert watch.refused(0.0, lies_there=True)
    assert not watch.refused(0.3, lies_there=True)
    assert watch.dealt_with(0.6)


def test_card_that_was_refused_is_told_gone_too() -> None:
    watch = PlacingWatch(2.0)
    watch.refused(0.0)
    assert watch.not_found(2.0) == CardGone()


def test_what_was_read_is_not_kept() -> None:
    watch = PlacingWatch(2.0)
    watch.read(0.0, ZHANG)
    assert ZHANG not in repr(vars(watch)).encode()
