"""E-mail addresses and phone numbers that are nobody's: what is typed where nothing is known. Pure.

ASSUMPTION: hardly any booking system documents what its users or its own anonymisation write there, so these are the words
and shapes that are commonly typed, in the languages of the booking systems' markets. Two vendors' helps (read 2026-11) tell
their users to type NAME.PHONE@noemail.com, or an address that ends in ".invalid". A third recommends addresses at
example.com, a different one for each person: those stay keys, since they do tell people apart.
"""

from __future__ import annotations

import re

_MAIL = (
    r"(?:e?mails?|e?mailadd?ress(?:e|es)?|e?mailadresse|e?mailadres|address|adresse?|dadresse(?:mail)?|demail|"
    r"correo|correoelectronico|courriel|decourriel|epost|eposta|indirizzo)"
)
#: "no e-mail" in one word, in the order of the languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Nordic,
#: Polish; perhaps with "given" or the like behind it.
_WITHOUT = (
    r"(?:no|notan?|without|hasno|havenot?|hasnt|nothave|kein|keine|ohne|sans|pas|pasde?|aucune?|sin|notiene|seme?|naotem|senza|nonha|"
    r"geen|zonder|ingen|inget|uten|uden|utan|ei|brak|bez)"
)
_NO_MAIL = re.compile(rf"{_WITHOUT}{_MAIL}(?:given|provided|available|supplied|known|yet|onfile|listed)?|(?:sans|pas|pasde)mel")
_MAIL_UNKNOWN = re.compile(rf"{_MAIL}(?:unknown|inconnue?|unbekannt|onbekend|notgiven|notprovided|missing|refused)")

# fmt: off
#: Whole local parts that are nobody's at any domain.
_ANYWHERE = frozenset({
    "none", "nil", "null", "nobody", "noone", "unknown", "anonymous", "anonym", "anonyme", "anonymized", "anonymised",
    "deleted", "redacted", "removed", "notprovided", "notgiven", "notavailable", "notapplicable", "notknown", "nomaill",
    "noreply", "donotreply", "dontknow", "donthave", "doesnothave", "unknownemail", "unknownmail", "fake", "fakemail",
    "fakeemail", "dummy", "dummymail", "dummyemail", "test", "testing", "asdf", "qwerty", "xxx", "aaa", "xxxx", "aaaa",
    "walkin", "walkins", "walkincustomer", "walkinclient", "walkinguest", "unbekannt", "keine", "inconnu", "inconnue",
    "aucun", "aucune", "desconocido", "desconocida", "ninguno", "ninguna", "notiene", "desconhecido", "desconhecida",
    "notengo", "noaplica", "noapplica", "nieposiada", "nincs", "nemam", "undefined", "noname", "laufkunde", "laufkundschaft",
    "clientdepassage", "placeholder", "bademail",
    "naotem", "sconosciuto", "sconosciuta", "nessuno", "nessuna", "nonha", "onbekend", "ukendt", "ukjent", "okand",
})
#: Local parts that may be somebody's mailbox at a real domain: they are nobody's only at a domain that is nobody's too, or that
#: has the same name ("client@client.com").
_BESIDE_NOBODY = frozenset({
    "a", "x", "xx", "abc", "xyz", "mail", "email", "client", "customer", "guest", "no", "na", "tester", "nope", "nothing",
    "info", "admin", "blank", "empty", "void", "someone", "somebody", "anyone", "tbd", "tba", "tbc", "todo", "temp",
    "default", "placeholder", "sample", "foo", "user", "example", "name", "your", "yourname", "youremail", "asd", "asdasd",
    "gdpr", "false", "nein", "non", "noway", "refuse", "private", "privat", "kunde", "gast", "passage", "cliente", "invite",
    "leer", "brak", "nema", "yok", "net", "niet", "nincsen", "laufkundin", "visitor", "patient", "member",
    "qwe", "zzz", "refused", "declined", "kein", "ohne", "sans", "pas", "geen", "ingen", "inget", "sin", "sem", "senza",
})
#: Domains, without what follows the dot, that are nobody's beside such a local part. Some are real providers and firms.
_NOBODY_DOMAINS = frozenset({
    "none", "no", "noreply", "unknown", "test", "testing", "fake", "fakemail", "dummy", "nowhere", "somewhere", "anywhere",
    "nobody", "123", "null", "na", "nil", "abc", "xyz", "asd", "asdf", "qwe", "xxx", "xx", "aaa", "email", "mail", "domain",
    "yourdomain", "yourcompany", "guest", "walkin", "anonymous", "deleted", "redacted", "foo", "bar", "blank", "empty",
    "void", "nothing",
})
#: Domains that say that there is no address, whoever stands before the @: "anna@no-email.com". Others ("unknown", "mail",
#: "guest") are real providers and firms too.
_NO_ADDRESS_DOMAINS = frozenset({"none", "noreply", "donotreply", "fakemail", "fakeemail", "notprovided", "test"})
# fmt: on
_SEPARATORS = re.compile(r"[._-]+")
#: The software's own placeholders carry a word and anything behind it: "anonymous+8", "deleted-17", "no-reply+x".
_WITH_TAG = re.compile(r"(?:anonym(?:ous|i[sz]ed)?|deleted|redacted|no-?reply)[+@._-]\S*")
#: Addresses that booking systems make where a client has none: "_123456@bookitlive.net" (its help, "Creating clients without
#: email addresses", read 2026-11).
_GENERATED = re.compile(r"_\d+@bookitlive\.net")
#: What follows the name of a domain that says that there is no address: firms with such a name use others.
_ENDINGS = re.compile(r"com|net|org|co|[a-z]{2}|co\.uk|com\.[a-z]{2}")
#: Fewer characters than an address there can have (Google's sign-up: 6 to 30), so "na@", "abc@" and "guest@" are nobody's.
_SHORTEST = {"gmail.com": 6}
#: National numbers that run up or down.
_RUNS = ("01234567890123456789", "98765432109876543210", "12345678901234567890")


def is_nobodys_email(local: str, domain: str) -> bool:
    """Whether an address, lower case and in two parts, is one that is typed or made where there is none."""
    if _WITH_TAG.fullmatch(f"{local}@") or _GENERATED.fullmatch(f"{local}@{domain}"):
        return True
    name, _, ending = domain.partition(".")
    name, word = _SEPARATORS.sub("", name), _SEPARATORS.sub("", local.partition("+")[0])
    if _says_none(name, _NO_ADDRESS_DOMAINS) and _ENDINGS.fullmatch(ending):
        return True
    plain = word.rstrip("0123456789")
    if _says_none(plain, _ANYWHERE):
        return True
    if plain in _BESIDE_NOBODY:
        beside = name in _NOBODY_DOMAINS or name == plain or _says_none(name, _NO_ADDRESS_DOMAINS)
        return beside or len(local) < _SHORTEST.get(domain, 0) or _is_junk(word, name)
    return _is_junk(word, name)


def _says_none(word: str, words: frozenset[str]) -> bool:
    return word in words or _NO_MAIL.fullmatch(word) is not None or _MAIL_UNKNOWN.fullmatch(word) is not None


def _is_junk(word: str, name: str) -> bool:
    """Whether both parts are keys that were hit to get past a form: "aa@aa.aa", "1@1.com", "123@123.com", "a@b.c"."""
    if word.isdigit() and (word == name or len(word) < _SHORTEST.get(f"{name}.com", 0)):
        return True
    both_repeat = len(set(word)) == 1 and len(set(name)) == 1
    return both_repeat and (word[0] == name[0] or len(word) == len(name) == 1)


def is_nobodys_number(digits: str) -> bool:
    """Whether a national number (or what was typed as one) repeats one digit or a few, or counts up or down."""
    if len(set(digits)) <= 1 or (len(digits) >= 7 and any(digits in run for run in _RUNS)):
        return True
    # "555-555-1234", "555-555-5555", "999-999-1234": an area and an exchange that repeat one digit.
    if len(digits) == 10 and len(set(digits[:6])) == 1:
        return True
    # "12121212", "2121212121", "123123123": two or three digits, over and over.
    if len(digits) >= 8 and any(digits == (digits[:size] * len(digits))[: len(digits)] for size in (2, 3)):
        return True
    # "06 00000000", "11 99999 9999": what tells a mobile phone or an area, and then no number. A run behind other digits
    # (+33 6 12 34 56 78, +54 11 2345 6789) may be somebody's.
    return (len(digits) >= 8 and len(set(digits[1:])) == 1) or (len(digits) >= 10 and len(set(digits[-8:])) == 1)
