"""Our own cases, by kind. Names are invented; `{n}` and `{phoneN}` keep the cases from meeting."""

from __future__ import annotations

from collections.abc import Sequence

from . import markets
from .running import Case, Want

A, B = "a.{n}@example.com", "b.{n}@example.com"
SHARED = "shared.{n}@example.com"
P, P2 = "{phone1}", "{phone2}"
Name = tuple[str, str]


def _pairs(kind: str, want: Want, pairs: Sequence[tuple[Name, Name]], keys: Sequence[tuple[str, str]]) -> list[Case]:
    """A case for each pair of names; `keys` are the (e-mail, phone) of the first and of the second client."""
    found = []
    for one, two in pairs:
        clients = [(*one, *keys[0]), (*two, *keys[1])]
        found.append(Case(kind, f"{' '.join(one).strip()} / {' '.join(two).strip()}", want, clients))
    return found


def _lines(table: str) -> list[str]:
    return table.strip().splitlines()


def _named(table: str) -> list[tuple[Name, Name]]:
    """The pairs of names of a table of `markets`."""
    return [((a, b), (c, d)) for a, b, c, d in (line.split("|") for line in _lines(table))]


HOUSEHOLDS: list[tuple[Name, Name]] = [
    (("Nora", "Lind"), ("Oskar", "Lind")),
    (("Claire", "Moreau"), ("Luc", "Moreau")),
    (("Nguyen", "Linh"), ("Nguyen", "Minh")),
    (("Smith", "John"), ("Smith", "Mary")),
    (("Kovács", "Anna"), ("Kovács", "Péter")),
    (("Daniel", "Weber"), ("Daniela", "Weber")),
    (("Mario", "Conti"), ("Maria", "Conti")),
    (("Christian", "Holm"), ("Christine", "Holm")),
    (("Jan", "de Vries"), ("Jana", "de Vries")),
    (("Luis", "Prado"), ("Luisa", "Prado")),
    (("Paul", "Roy"), ("Paule", "Roy")),
    (("Ana María", "Soto"), ("Ana Lucía", "Soto")),
    (("Jean Paul", "Girard"), ("Jean Marc", "Girard")),
    (("Kim", "Park"), ("Jin", "Park")),
    (("伟", "王"), ("芳", "王")),
    (("Omar", "Al Amin"), ("Layla", "Al Amin")),
    (("Tran Van An", ""), ("Tran Thi Bao", "")),
]
SALUTATIONS: list[tuple[Name, Name]] = [
    (("", "Mr Okafor"), ("", "Mrs Okafor")),
    (("", "Mr. K. Patel"), ("", "Ms. K. Patel")),
    (("Herr", "Krause"), ("Frau", "Krause")),
    (("", "Hr. Lund"), ("", "Frau Lund")),
    (("M.", "Petit"), ("Mme", "Petit")),
    (("Monsieur", "Leroy"), ("Madame", "Leroy")),
    (("Sr.", "Ramos"), ("Sra.", "Ramos")),
    (("Señor", "Vidal"), ("Señora", "Vidal")),
    (("Signor", "Greco"), ("Signora", "Greco")),
    (("Senhor", "Dias"), ("Senhora", "Dias")),
    (("Dhr.", "Bos"), ("Mevr.", "Bos")),
    (("Pan", "Zielinski"), ("Pani", "Zielinski")),
]
COUPLES: list[tuple[Name, Name]] = [
    (("Tom & Sue", "Hart"), ("Tom", "Hart")),
    (("Tom and Sue", "Hart"), ("Sue", "Hart")),
    (("Luc et Anne", "Blanc"), ("Luc", "Blanc")),
    (("Uwe und Ida", "Kern"), ("Ida", "Kern")),
    (("Uwe u. Ida", "Kern"), ("Uwe", "Kern")),
    (("Juan y Rosa", "Gil"), ("Rosa", "Gil")),
    (("Piet en Lies", "Smit"), ("Piet", "Smit")),
    (("Per og Liv", "Dahl"), ("Liv", "Dahl")),
    (("Bo och Eva", "Ek"), ("Eva", "Ek")),
    (("Tom/Sue", "Hart"), ("Sue", "Hart")),
    (("Tom + Sue", "Hart"), ("Tom", "Hart")),
    (("", "Mr. & Mrs. Hart"), ("Tom", "Hart")),
    (("", "Family Hart"), ("Tom", "Hart")),
    (("Famille", "Blanc"), ("Luc", "Blanc")),
    (("", "Familie Kern"), ("Uwe", "Kern")),
    (("The", "Harts"), ("Tom", "Hart")),
]
BESIDE: list[tuple[Name, Name]] = [
    (("Emma (daughter of Kate)", "Ross"), ("Kate", "Ross")),
    (("Leo - son of Kate", "Ross"), ("Kate", "Ross")),
    (("Kate's baby", "Ross"), ("Kate", "Ross")),
    (("Baby of Kate", "Ross"), ("Kate", "Ross")),
    (("Leo c/o Kate", "Ross"), ("Kate", "Ross")),
    (("Leo for Kate", "Ross"), ("Kate", "Ross")),
    (("Leo (Kate)", "Ross"), ("Leo", "Ross")),
    (("Zoé, fille de Anne", "Blanc"), ("Anne", "Blanc")),
    (("Léo pour Anne", "Blanc"), ("Anne", "Blanc")),
    (("Tim (Sohn von Ida)", "Kern"), ("Ida", "Kern")),
    (("Tim für Ida", "Kern"), ("Ida", "Kern")),
    (("Hijo de Rosa", "Gil"), ("Rosa", "Gil")),
    (("Figlia di Elena", "Greco"), ("Elena", "Greco")),
    (("Zoon van Lies", "Smit"), ("Lies", "Smit")),
]
GENERATIONS: list[tuple[Name, Name]] = [
    (("Alan", "Reed"), ("Alan Jr", "Reed")),
    (("Alan", "Reed Sr."), ("Alan", "Reed Jr.")),
    (("Alan", "Reed"), ("Alan", "Reed II")),
    (("Alan", "Reed III"), ("Alan", "Reed")),
    (("Alan", "Reed, 2nd"), ("Alan", "Reed")),
    (("Hans", "Vogel sen."), ("Hans", "Vogel jun.")),
    (("Marc", "Petit (père)"), ("Marc", "Petit (fils)")),
    (("João", "Costa Filho"), ("João", "Costa")),
    (("João", "Costa Neto"), ("João", "Costa Filho")),
]
COMPANIES: list[tuple[Name, Name]] = [
    (("", "Northwind Plumbing Ltd"), ("Ann", "Hale")),
    (("", "Kern GmbH"), ("Uwe", "Kern")),
    (("Hotel", "Alpenrose Reception"), ("Uwe", "Kern")),
    (("", "Blanc SARL"), ("Luc", "Blanc")),
]
SAME: list[tuple[Name, Name]] = [
    (("NORA", "LIND"), ("nora", "lind")),
    (("Zoë", "Brontë"), ("Zoe", "Bronte")),
    (("Lind", "Nora"), ("Nora", "Lind")),
    (("", "Nora Lind"), ("Nora", "Lind")),
    (("Nora Lind", ""), ("Nora", "Lind")),
    (("Dr. Nora", "Lind"), ("Nora", "Lind")),
    (("Prof. Dr. Nora", "Lind"), ("Nora", "Lind")),
    (("Jürgen", "Groß"), ("Juergen", "Gross")),
    (("Søren", "Sørensen"), ("Soren", "Sorensen")),
    (("Łukasz", "Wójcik"), ("Lukasz", "Wojcik")),
    (("Jean-Luc", "Girard"), ("Jean Luc", "Girard")),
    (("Anne-Marie", "Roy"), ("Annemarie", "Roy")),
    (("Jan", "van den Berg"), ("Jan", "Vandenberg")),
    (("Sean", "O'Neill"), ("Sean", "O’Neill")),
    (("Ana", "Ruiz Soto"), ("Ana", "Ruiz")),
    (("Ida", "Kern-Vogel"), ("Ida", "Kern")),
    (("Bob", "Hale"), ("Robert", "Hale")),
    (("Liz", "Hale"), ("Elizabeth", "Hale")),
    (("Paco", "Gil"), ("Francisco", "Gil")),
    (("Sepp", "Moser"), ("Josef", "Moser")),
    (("Kees", "Smit"), ("Cornelis", "Smit")),
    (("王伟", ""), ("伟", "王")),
    (("Nora M.", "Lind"), ("Nora", "Lind")),
    (("Baron", "Hale"), ("", "Baron Hale")),
    (("Mahdi", "Karimi"), ("", "Mahdi Karimi")),
    (("Nguyen Thi Mai", ""), ("", "Nguyen Thi Mai")),
]
#: The same address carries over what a phone number does not.
SAME_BY_EMAIL: list[tuple[Name, Name]] = [
    (("Nora", "Lind"), ("Nora", "Kern")),
    (("N.", "Lind"), ("Nora", "Lind")),
    (("Nora Maria", "Lind"), ("Nora", "Lind")),
    (("Nora", ""), ("Nora", "Lind")),
    (("", "Lind"), ("Nora", "Lind")),
    (("Kathrine", "Lind"), ("Kathirne", "Lind")),
    (("", ""), ("Nora", "Lind")),
    (("Guest", "Lind"), ("Nora", "Lind")),
]
NOBODYS_ADDRESSES = [
    "none@none.com", "noemail@noemail.com", "no-email@example.com", "nomail@example.com", "noreply@example.com",
    "do-not-reply@example.com", "na@na.com", "test@test.com", "unknown@example.com", "anonymous@example.com",
    "dummy@example.com", "keine@example.com", "asdf@asdf.com", "guest@guest.com",
]  # fmt: skip
REAL_ADDRESSES = [
    "nonesuch.{n}@example.com", "noel.{n}@example.com", "testa.{n}@example.com", "anonymousfox.{n}@example.com",
    "unknownpleasures.{n}@example.com", "nomail.smith.{n}@example.com", "info.{n}@example.com",
]  # fmt: skip
NOBODYS_NUMBERS = [
    "000 000 0000",
    "111-111-1111",
    "999-999-9999",
    "123-456-7890",
    "555-555-5555",
    "555-555-1234",
    "514-123-4567",
    "514-000-0001",
]
MESSY = [
    ("", "a.{n}@example.com,", ""),
    ("", "<a.{n}@example.com>", ""),
    ("", "MAILTO:a.{n}@example.com", ""),
    ("", "a.{n}@example.com or b.{n}@example.com", ""),
    ("", "a.{n}@example.com; b.{n}@example.com", ""),
    ("", "a.{n}@example.com (private)", ""),
    ("a.{n}@example.com", "", ""),
    ("", "a.{n}@@example", ""),
    ("", "", "{phone1} (husband)"),
    ("", "", "{phone1} or {phone2}"),
    ("", "", "{phone1} Durchwahl 7"),
    ("", "", "{phone1} ext. 7"),
    ("", "", "cell: {phone1}"),
    ("", "", "0044 20 7946 0018"),
    ("", "", "+1 (0) 514 555 01"),
    ("", "", "555-0123"),
]
SPELLINGS = [
    ("+55 21 99876 5432", "+55 21 9876 5432"),
    ("+55 85 8765 4321", "+55 85 98765 4321"),
    ("+54 9 351 234 5678", "+54 351 234 5678"),
    ("+52 1 33 1234 5678", "+52 33 1234 5678"),
    ("0033 6 98 76 54 32", "+33 6 98 76 54 32"),
    ("{phone1}", "+1 {phone1}"),
    ("+225 07 12 34 56", "+225 07 07 12 34 56"),
    ("+229 97 12 34 56", "+229 01 97 12 34 56"),
    ("+84 120 123 4567", "+84 70 123 4567"),
]

#: Names that each agree with the first one, and not with each other: agreement is not carried over.
CHAINS: list[tuple[Name, Name, Name]] = [
    (("J.", "Smith"), ("John", "Smith"), ("Jane", "Smith")),
    (("", "Smith"), ("John", "Smith"), ("Jane", "Smith")),
    (("", ""), ("John", "Smith"), ("Jane", "Smith")),
    (("Anna", "Berg"), ("Anna Sofia", "Berg"), ("Anna Lena", "Berg")),
    (("Alex", "Hart"), ("Alexander", "Hart"), ("Alexandra", "Hart")),
    (("Sasha", "Ivanov"), ("Alexander", "Ivanov"), ("Alexandra", "Ivanova")),
    (("JP", "Girard"), ("Jean-Pierre", "Girard"), ("Julie Pauline", "Girard")),
    (("Chris", "Holm"), ("Christian", "Holm"), ("Christine", "Holm")),
    (("María", "Ruiz"), ("María José", "Ruiz"), ("María Luisa", "Ruiz")),
    (("Mohammed", "Khan"), ("Mohammed Ali", "Khan"), ("Mohammed Omar", "Khan")),
    (("Alan", "Reed"), ("Alan B.", "Reed"), ("Alan C.", "Reed")),
    (("Lena", "Kern"), ("Elena", "Kern"), ("Helena", "Kern")),
    (("Enzo", "Greco"), ("Vincenzo", "Greco"), ("Lorenzo", "Greco")),
    (("Dani", "Gil"), ("Daniel", "Gil"), ("Daniela", "Gil")),
]

#: One person in two scripts that are not compared: an address decides, a number asks.
OTHER_SCRIPTS: list[tuple[Name, Name]] = [
    (("Wei", "Wang"), ("伟", "王")),
    (("Taro", "Yamada"), ("", "山田太郎")),
    (("Minjun", "Kim"), ("민준", "김")),
    (("Mohammed", "Ali"), ("محمد", "علي")),
    (("David", "Cohen"), ("דוד", "כהן")),
    (("Somchai", "Jaidee"), ("สมชาย", "ใจดี")),
]
#: Two people, one of whom is written in a script that is not compared.
OTHERS_IN_OTHER_SCRIPTS: list[tuple[Name, Name]] = [
    (("Na", "Li"), ("伟", "王")),
    (("Layla", "Hassan"), ("محمد", "حسن")),
    (("Jiwoo", "Kim"), ("민준", "김")),
    (("Hanako", "Yamada"), ("太郎", "山田")),
]

CASES: list[Case] = [
    *_pairs("household, one phone", "different", HOUSEHOLDS, [("", P), ("", P)]),
    *_pairs("household, one address", "different", HOUSEHOLDS, [(SHARED, ""), (SHARED, P2)]),
    *_pairs("salutations", "different", SALUTATIONS, [("", P), ("", P)]),
    *_pairs("couples and families", "different", COUPLES, [("", P), (B, P)]),
    *_pairs("another person beside", "different", BESIDE, [("", P), ("", P)]),
    *_pairs("two scripts, by address", "same", OTHER_SCRIPTS, [(A, ""), (A, P)]),
    *_pairs("two scripts, one phone", "different", OTHERS_IN_OTHER_SCRIPTS, [("", P), (B, P)]),
    *_pairs("generations", "different", GENERATIONS, [(A, P), (B, P)]),
    *_pairs("generations, one address", "different", GENERATIONS, [(SHARED, ""), (SHARED, "")]),
    *_pairs("companies", "different", COMPANIES, [(SHARED, ""), (SHARED, P)]),
    *_pairs("the same, by phone", "same", SAME, [("", P), ("", P)]),
    *_pairs("the same, by address", "same", [*SAME, *SAME_BY_EMAIL], [(A, ""), (A, "")]),
    *(
        Case("nobody's address", address, "different", [("Nora", "Lind", address, P), ("Oskar", "Kern", address, P2)])
        for address in NOBODYS_ADDRESSES
    ),
    *(
        Case("nobody's number", number, "different", [("Nora", "Lind", A, number), ("Oskar", "Kern", B, number)])
        for number in NOBODYS_NUMBERS
    ),
    *(
        Case(
            "real address that looks like nobody's",
            address,
            "same",
            [("Nora", "Lind", address, ""), ("Nora", "Lind", address, "")],
        )
        for address in REAL_ADDRESSES
    ),
    *(Case("messy values", " ".join(values), "kept", [(values[0], "Lind", *values[1:])]) for values in MESSY),
    *(
        Case("one number, two spellings", one, "same", [("Nora", "Lind", "", one), ("Nora", "Lind", "", two)])
        for one, two in SPELLINGS
    ),
    *(
        Case("chains", " / ".join(f"{a} {b}".strip() for a, b in names), "different", [(*name, *key) for name in names], (1, 2))
        for names in CHAINS
        for key in ((SHARED, ""), ("", P), (SHARED, P))
    ),
    *_pairs("markets: different, one phone", "different", _named(markets.AGAINST), [("", P), ("", P)]),
    *_pairs("markets: different, one address", "different", _named(markets.AGAINST), [(SHARED, ""), (SHARED, P2)]),
    *_pairs("markets: the same, by phone", "same", _named(markets.STRONG), [("", P), ("", P)]),
    *_pairs("markets: alike, by address", "same", _named(markets.WEAK), [(A, ""), (A, P)]),
    *(
        Case("markets: nobody's address", address, "different", [("Nora", "Lind", address, P), ("Oskar", "Kern", address, P2)])
        for address in _lines(markets.NOBODYS_ADDRESSES)
    ),
    *(
        Case("markets: nobody's number", number, "different", [("Nora", "Lind", A, number), ("Nora", "Lind", B, number)])
        for number in _lines(markets.NOBODYS_NUMBERS)
    ),
    *(
        Case("markets: real address", address, "same", [("Nora", "Lind", address, ""), ("Nora", "Lind", address, "")])
        for address in _lines(markets.REAL_ADDRESSES)
    ),
    *(
        Case("markets: real number", number, "same", [("Nora", "Lind", "", number), ("Nora", "Lind", "", number)])
        for number in _lines(markets.REAL_NUMBERS)
    ),
    *(
        Case("markets: one address, two spellings", address, "same", [("Nora", "Lind", A, ""), ("Nora", "Lind", address, "")])
        for address in _lines(markets.WRITTEN_ADDRESSES)
    ),
    *(
        Case("markets: one number, two spellings", line, "same", [("Nora", "Lind", "", phone) for phone in line.split(" | ")])
        for line in _lines(markets.WRITTEN_NUMBERS)
    ),
    Case("value in another field", "address in the phone", "same", [("Nora", "Lind", A, ""), ("Nora", "Lind", "", A)]),
    Case("value in another field", "number in the e-mail", "same", [("Nora", "Lind", "", P), ("Nora", "Lind", P, "")]),
    Case("value in another field", "both exchanged", "same", [("Nora", "Lind", A, P), ("Nora", "Lind", P, A)]),
    Case("value in another field", "address in the last name", "same", [("Nora", "Lind", A, ""), ("Nora", A, "", "")]),
    Case("value in another field", "both in the phone", "same", [("Nora", "Lind", A, ""), ("Nora", "Lind", "", f"{P}, {A}")]),
]
