"""What the page says, and what it leaves out."""

from __future__ import annotations

import pytest

from connector.model.problems import ACCOUNT, DELIVERIES, WORKER, Check, Topic
from connector.web.status.pages import environment
from connector.web.status.present import present
from connector.web.status.view import View
from connector.web.status.wording import count, duration, moment

from ..fakes import NOW, World, busy_page, queue, quiet_page


def show(**changes: object) -> View:
    return present({**quiet_page(), **changes}, now=NOW, config_file="connector.toml")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_moments_are_relative_and_exact() -> None:
    assert moment(NOW - 180, NOW) == ("3 min ago", "2026-11-21 11:57:00 UTC")
    assert moment("2026-11-21T11:57:00.000Z", NOW) == moment("2026-11-21T12:57:00+01:00", NOW) == moment(NOW - 180, NOW)
    assert moment(NOW + 100, NOW).ago == "just now"
    assert moment(None, NOW) == moment("", NOW) == ("", "")


def test_numbers_agree_with_their_nouns() -> None:
    assert (count(1, "event"), count(1204, "event"), count(0, "person", "people")) == ("1 event", "1,204 events", "0 people")


def test_quiet_when_all_is_well() -> None:
    view = show()
    assert (view.tone, view.headline, view.remarks) == ("ok", "All is well: 1,204 clients linked, nothing waiting.", ())
    assert show(queue=queue(queued=3, running=1)).headline == "All is well: 1,204 clients linked, 4 events in progress."
    assert show(queue=queue(queued=1)).headline == "All is well: 1,204 clients linked, 1 event in progress."
    assert show(queue=queue(), links=0).headline == "Ready. No delivery has arrived yet."


def test_a_warning_is_mentioned_without_alarm() -> None:
    view = show(checks=[Check(topic=Topic("config", "plain"), level="warning", message="a secret is in the file")])
    assert (view.tone, view.remarks) == ("ok", ("1 warning below.",))


@pytest.mark.parametrize("topic", [WORKER, Topic("booking.stores", DELIVERIES)], ids=str)
def test_a_warning_that_stops_the_work_is_the_headline(topic: Topic) -> None:
    view = show(checks=[Check(topic=topic, level="warning", message="nothing moves", hint="Fix it.")])
    assert (view.tone, view.headline) == ("warn", "Nothing moves.")


def test_a_remote_system_that_is_down_is_said_with_what_becomes_of_its_events() -> None:
    crms = {"main": {"system": "hubspot", "state": "down", "reason": "answered 503", "quota": None}}
    checks = [Check(topic=Topic("crm.main", ACCOUNT), level="error", message="answered 503")]
    view = show(crms=crms, checks=checks)
    assert (view.tone, view.headline) == (
        "warn",
        "crm.main does not answer. Its events wait and continue by themselves.",
    )


def test_an_account_whose_calls_are_used_up_is_said_once_with_its_end() -> None:
    crms = {"main": {"system": "hubspot", "state": "limited", "reason": "answered 429: DAILY", "quota": None}}
    text = "HubSpot: search contacts: answered 429: DAILY; limited until 2026-03-02 05:00 UTC"
    checks = [Check(topic=Topic("crm.main", ACCOUNT), level="error", message=text, hint="Nothing is lost.")]
    view = show(crms=crms, checks=checks)
    assert (view.headline, view.remarks) == (f"{text}.", ("Nothing is lost.",))


def test_an_account_whose_calls_are_used_up_is_not_said_to_be_silent() -> None:
    crms = {"main": {"system": "hubspot", "state": "limited", "reason": "answered 429: DAILY", "quota": None}}
    assert show(crms=crms).headline == "crm.main has used up its calls. Its events wait and continue by themselves."


def test_a_refused_action_is_the_headline_while_its_account_is_well() -> None:
    text = "HubSpot: record the appointment: answered 403: the key lacks the scope meetings"
    view = show(checks=[Check(topic=Topic("crm.main", "refused", "record"), level="error", message=text, hint="Give it.")])
    assert (view.tone, view.headline, view.remarks) == ("bad", f"{text}.", ("Give it.",))
    assert [account.state for account in view.accounts] == ["ok", "ok"]


def test_the_gravest_comes_first() -> None:
    page = busy_page()
    view = present(page, now=NOW, config_file="c.toml")
    assert (view.tone, view.headline) == ("bad", "The key of booking.tours was refused.")
    assert view.remarks[0] == "Set partner_key and restart.", "what to do comes right behind it"
    assert view.remarks[1].startswith("crm.main does not answer. Its events wait")
    assert view.remarks[2:4] == ("1 review needs your decision.", "9 events are held until a person acts.")
    assert [tone for tone, *_ in view.checks] == ["bad", "warn"]
    assert [tone for tone, *_ in view.well] == ["ok"]


def test_a_paused_account_is_told_once() -> None:
    page = busy_page()
    page["checks"] = []
    view = present(page, now=NOW, config_file="c.toml")
    assert view.headline == "booking.tours is paused: somebody must fix it. Its events wait."


def test_an_account_that_was_never_asked_is_not_called_well() -> None:
    crms = {"main": {"system": "hubspot", "state": "ok", "asked": False, "reason": None, "quota": None}}
    shown = {account.name: (account.state, account.tone) for account in show(crms=crms).accounts}
    assert shown == {"stores": ("ok", "ok"), "main": ("not asked yet", "quiet")}
    down = {"main": {**crms["main"], "state": "down"}}
    assert show(crms=down).accounts[-1].state == "down"
    assert show(crms=crms, oldest_waiting_seconds=901).tone == "warn", "it does not explain why an event is late"


def test_the_overview_shows_the_oldest_reviews_of_many() -> None:
    review = {"source": "s", "client_ids": ["1"], "reason": "", "since": NOW, "candidates": []}
    view = show(reviews=[{"id": n, **review} for n in range(1, 21)], open_reviews=200)
    assert (len(view.reviews), view.open_reviews) == (20, 200)
    assert view.more_reviews == "connector review list --config connector.toml"


def test_a_late_event_is_told_unless_an_outage_explains_it() -> None:
    assert show(oldest_waiting_seconds=901).headline == "The oldest unfinished event has been waiting for 15 min."
    assert show(oldest_waiting_seconds=899).tone == "ok"
    crms = {"main": {"system": "hubspot", "state": "down", "reason": "no answer", "quota": None}}
    assert show(oldest_waiting_seconds=901, crms=crms).remarks == ()


def test_reviews_without_held_events_are_told() -> None:
    review = {"id": 1, "source": "s", "client_ids": ["1"], "reason": "", "since": NOW, "candidates": []}
    assert show(reviews=[review]).headline == "1 review needs your decision."
    assert show(reviews=[review] * 2).headline == "2 reviews need your decision."


def test_one_cause_is_one_card_with_commands_to_copy() -> None:
    groups = present(busy_page(), now=NOW, config_file="my shop.toml").held
    assert [group.title for group in groups] == ["7 events", "Event 80"]
    assert groups[0].commands == (
        "connector events show 90 --config 'my shop.toml'",
        "connector events retry 90 --config 'my shop.toml'",
    )
    assert groups[0].others == "The same for 91, 92, 93, 94, 95 and 1 more."
    assert groups[0].since.ago == "12 h ago"
    assert (groups[1].who, groups[1].others) == ("", "")


def test_a_review_offers_each_candidate() -> None:
    (review,) = present(busy_page(), now=NOW, config_file="c.toml").reviews
    assert review.candidates == (("201", "same phone, name agrees"), ("202", "same phone"))
    assert review.commands == (
        "connector review link 5 201 --config c.toml",
        "connector review link 5 202 --config c.toml",
        "connector review create 5 --config c.toml",
        "connector review show 5 --config c.toml",
    )


def test_ids_from_outside_cannot_break_out_of_a_command() -> None:
    review = {
        "id": 1,
        "source": "s",
        "client_ids": ["1"],
        "reason": "x",
        "since": NOW,
        "candidates": [{"customer_id": "1; rm -rf x", "evidence": []}],
    }
    assert show(reviews=[review]).reviews[0].commands[0] == "connector review link 1 '1; rm -rf x' --config connector.toml"


def test_held_events_that_were_not_looked_at_are_not_counted_as_if_they_were() -> None:
    held = [{"id": 1, "source": "s", "client_id": None, "reason": "x", "hint": "", "since": NOW}]
    assert show(held=held, queue=queue(held=5_025)).held_of == "500 of 5,025"
    assert show(held=held, queue=queue(held=500)).held_of == ""


def test_events_that_wait_for_a_review_are_told_once() -> None:
    review = {"id": 1, "source": "s", "client_ids": ["1"], "reason": "x", "since": NOW, "candidates": []}
    view = show(reviews=[review], queue=queue(held=3))
    assert (view.headline, view.remarks) == ("1 review needs your decision.", ())


def test_long_lists_are_cut_and_say_where_the_rest_is() -> None:
    held = [{"id": n, "source": "s", "client_id": n, "reason": f"reason {n}", "hint": "", "since": NOW} for n in range(30)]
    review = {"source": "s", "client_ids": ["1"], "reason": "x", "since": NOW, "candidates": []}
    view = show(held=held, reviews=[{**review, "id": n} for n in range(30)])
    assert (len(view.held), view.more_held) == (20, "connector events list --state held --config connector.toml")
    assert (len(view.reviews), view.more_reviews) == (20, "connector review list --config connector.toml")


def test_a_decision_names_the_customer_and_every_step() -> None:
    decision = show().decisions[0]
    assert decision.customer_id == "501"
    assert decision.trace[1] == ("email", "match", "the only customer with this e-mail address; customer id 501")
    assert decision.at == ("3 min ago", "2026-11-21 11:56:55 UTC")


def test_the_chart_never_hides_what_happened() -> None:
    hours = [{"hour": "2026-11-21T00:00:00.000Z", "received": 10_000, "linked": 1, "held": 0}] * 2
    view = show(chart=hours)
    assert view.bars[0].heights == (100.0, 2.5, 0.0)
    assert view.chart_summary == "Last 24 hours: 20,000 received, 2 done, 0 held."
    assert show(chart=[{**hours[0], "received": 0, "linked": 0}]).bars[0].heights == (0, 0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "changes",
    [
        {"chart": [], "decisions": [], "checks": [], "sources": {}, "crms": {}, "ignored_without_identity": 0},
        {
            "sources": {
                "a": {
                    "system": "booxi",
                    "last_delivery_at": None,
                    "received": 0,
                    "refused": 0,
                    "quota": None,
                    "state": "odd",
                    "reason": None,
                }
            }
        },
    ],
)
async def test_the_page_renders_with_hardly_any_data(changes: dict[str, object]) -> None:
    world = World()
    world.data._page = {**quiet_page(), **changes}
    async with world.logged_in() as client:
        assert (await client.get("/status")).status_code == 200


def test_the_page_shows_no_character_that_changes_how_the_rest_is_read():
    page = environment().from_string("<b>{{ reason }}</b>").render(reason="a\u202e<\x9b>\n")
    assert page == "<b>a\ufffd&lt;\ufffd&gt;\n</b>"
