"""Names of many markets: what two of them say about each other. A line is first name | last name | first name | last name."""

from __future__ import annotations

import pytest

from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import read_name

STRONG = """
De heer Jan|Bos|Jan|Bos
|De heer J. Bos|J.|Bos
Mevr. Jana|Bos|Jana|Bos
Mohammed|Ali|Muhammad|Ali
Mohamed|Ali|Mohammad|Ali
Yusuf|Kaya|Youssef|Kaya
Robert (Bob)|Hale|Robert|Hale
Robert (Bob)|Hale|Bob|Hale
Robert "Bob"|Hale|Robert|Hale
Robert|Hale (Bob)|Bob|Hale
|Robert (Bob) Hale|Bob|Hale
JP|Girard|JP|Girard
|Lee Jun|Jun|Lee
|Lee Jun||Jun Lee
|Kim Min Jun|Min-jun|Kim
Min Jun|Kim|Minjun|Kim
Anna|Kowalski|Anna|Kowalska
Jana|Novak|Jana|Nováková
Olga|Ivanov|Olga|Ivanova
Tom & Sue|Hart|Sue & Tom|Hart
Tom and Sue|Hart|Sue & Tom|Hart
|Tom & Sue Hart|Sue & Tom|Hart
Emma (daughter of Kate)|Ross|Emma (Daughter of Kate)|Ross
Søren|Ødegård|Soeren|Oedegaard
Søren|Ødegård|Soren|Odegard
Åse|Aas|Aase|Ås
Γιώργος|Παπαδόπουλος|Giorgos|Papadopoulos
Иван|Петров|Ivan|Petrov
Олександр|Коваль|Oleksandr|Koval
Наталья|Иванова|Natalia|Ivanova
Наталія|Коваленко|Natalya|Kovalenko
Юлия|Соколова|Yulia|Sokolova
Дмитрий|Волков|Dmitry|Volkov
Сергей|Достоевский|Sergey|Dostoevsky
Nguyễn|Văn An|An|Nguyen Van
김|민준|민준|김
さとう|はなこ|サトウ|ハナコ
佐藤花子様||花子|佐藤
김민준님||민준|김
Abd al-Rahman|Hassan|Abdulrahman|Hassan
Abdul Rahman|Hassan|Abdurrahman|Hassan
Sarah|Cohen|Sara|Cohen
Yitzhak|Levi|Itzhak|Levi
Mª José|Ruiz|María José|Ruiz
Ma. Luisa|Ruiz|María Luisa|Ruiz
Smt. Priya|Nair|Priya|Nair
Shri Ravi|Nair|Ravi|Nair
Bay Ahmet|Kaya|Ahmet|Kaya
Ahmet Bey|Kaya|Ahmet|Kaya
Ayşe Hanım|Kaya|Ayşe|Kaya
William|Hart|Wm|Hart
Vicky|Hale|Victoria|Hale
Martina|Hašek|Martina|Hašková
Eva|Svoboda|Eva|Svobodová
Maria|Papadopoulos|Maria|Papadopoulou
|Anna (VIP) Berg|Anna|Berg
|Robert "Bob" Hale|Bob|Hale
Maria|da Silva|Maria|Silva
"""
WEAK = """
JP|Girard|Jean-Pierre|Girard
J.P.|Girard|Jean-Pierre|Girard
JP|Girard|J.P.|Girard
JP|Girard|Jean|Girard
AJ|Hart|Alice Jane|Hart
Sasha|Ivanov|Sasha|Ivanova
Мария|Чайковская|Maria|Tchaikovskaya
R.|Suresh|Suresh|R
D. Juan|Gil|Juan|Gil
Chris|Hale|Christine|Hale
Pat|Byrne|Patricia|Byrne
"""
NONE = """
|De heer Bos|Jan|Bos
|De heer J. Bos|Jan|Bos
Md|Rahman|Mohammad|Rahman
"""
AGAINST = """
Sig.ra|Greco|Sig.|Greco
De heer|Bos|Mevrouw|Bos
|De heer J. Bos||Mevr. J. Bos
|Dhr. en mevr. Bos|Jan|Bos
|Sr. y Sra. Ramos|Juan|Ramos
|Sig. e Sig.ra Greco|Ugo|Greco
|M. et Mme Petit|Luc|Petit
Leo (Kate)|Ross|Leo|Ross
JP|Girard|Jean-Marc|Girard
JM|Girard|JP|Girard
Al|Hart|Anna Lena|Hart
Jan|Kowalski|Anna|Kowalska
Jan|Novák|Jana|Nováková
J.|Novák|J.|Nováková
|Novák||Nováková
|Kowalska|Jan|Kowalski
Aleksandra|Kowalska|Aleksander|Kowalski
Tom & Sue|Hart|Tom & Ann|Hart
Leo for Kate|Ross|Kate for Leo|Ross
Emma (daughter of Kate)|Ross|Kate (daughter of Emma)|Ross
Евгений|Иванов|Евгения|Иванова
Олег|Иванов|Olga|Ivanova
伟|王|芳|王
Abdul Rahman|Hassan|Abdul Karim|Hassan
Abdul|Hassan|Abdul Karim|Hassan
Michael|Levi|Michal|Levi
Jo|Hale|Joe|Hale
Sue|Hale|Su|Hale
D. Juan|Gil|D. Pedro|Gil
|Bay Kaya||Bayan Kaya
|κ. Παπάς||κα Παπάς
|г-н Иванов||г-жа Иванов
Ayşe Hanım|Kaya|Ahmet Bey|Kaya
Jan a Anna|Novák|Jan|Novák
Ahmet ve Ayşe|Kaya|Ahmet|Kaya
Иван и Анна|Петров|Иван|Петров
Γιώργος και Άννα|Παππάς|Άννα|Παππάς
|Państwo Kowalscy|Jan|Kowalski
Jan|Bos|Jana|Bos
Mario|Conti|Maria|Conti
Andrea|Conti|Andrei|Conti
Daniel|Weber|Danielle|Weber
Manuel|Gil|Manuela|Gil
Samuel|Gil|Samuela|Gil
Noel|Hart|Noelle|Hart
Paul|Roy|Paula|Roy
Rene|Roy|Renee|Roy
René|Roy|Renée|Roy
Gabriel|Roy|Gabriele|Roy
Michel|Roy|Michelle|Roy
Frederic|Roy|Frederique|Roy
Valentin|Roy|Valentine|Roy
Ahmed|Ali|Mohamed|Ali
Mohammed Ali|Khan|Mohammed Omar|Khan
Ravi Kumar|Nair|Raj Kumar|Nair
Amrit Kaur|Gill|Amrit Singh|Gill
Karim|Nasser|Karima|Nasser
Samir|Haddad|Samira|Haddad
Amir|Haddad|Amira|Haddad
Amin|Haddad|Amina|Haddad
Khaled|Haddad|Khalida|Haddad
Salim|Haddad|Salma|Haddad
Said|Haddad|Saida|Haddad
Nour|Haddad|Nora|Haddad
Min-jun|Kim|Min-ji|Kim
Ji Hoon|Park|Ji Hye|Park
Xiao Ming|Li|Xiao Hong|Li
Hiroshi|Tanaka|Hiroko|Tanaka
Akira|Tanaka|Akiko|Tanaka
Yuki|Tanaka|Yuko|Tanaka
太郎|山田|花子|山田
山田太郎||山田花子|
Pedro|Silva|Petra|Silva
Carlos|Silva|Carla|Silva
João|Silva|Joana|Silva
Luís Filho|Silva|Luís|Silva
Francisco|Ruiz|Francisca|Ruiz
José María|Ruiz|María José|Ruiz
Giovanni|Russo|Giovanna|Russo
Gianni|Russo|Gianna|Russo
Nicola|Russo|Nicoletta|Russo
Andreas|Kern|Andrea|Kern
Stefan|Kern|Stefanie|Kern
Simon|Kern|Simone|Kern
Erik|Berg|Erika|Berg
Hans|Berg|Hanna|Berg
Kari|Berg|Karl|Berg
Anders|Berg|Andrea|Berg
Jens|Berg|Jenny|Berg
Ola|Nordmann|Olav|Nordmann
Petr|Dvořák|Petra|Dvořáková
Karel|Čapek|Karla|Čapková
Stanislav|Horák|Stanislava|Horáková
Martin|Novák|Martina|Nováková
Yiannis|Papadopoulos|Ioanna|Papadopoulou
Giorgos|Pappas|Georgia|Pappa
Ahmet|Yılmaz|Ayşe|Yılmaz
Mehmet|Yılmaz|Mehtap|Yılmaz
Yosef|Cohen|Yosefa|Cohen
Daniel|Cohen|Daniella|Cohen
Ariel|Cohen|Ariella|Cohen
Siobhan|Byrne|Sean|Byrne
Paddy Jr|Byrne|Paddy|Byrne
Patrick|Byrne|Patricia|Byrne
Ronnie|Byrne|Veronica|Byrne
Robin|Hart|Rob|Hart
Joe|Hart|Joan|Hart
Dan|Hart|Dana|Hart
Sam|Hart|Samira|Hart
Alex|Hart|Alice|Hart
|Leo (Kate) Ross|Leo|Ross
Christian|Kern|Christin|Kern
Sabina|Kern|Sabrina|Kern
"""


def _pairs() -> list[tuple[str, Agreement]]:
    tables = {Agreement.STRONG: STRONG, Agreement.WEAK: WEAK, Agreement.NONE: NONE, Agreement.AGAINST: AGAINST}
    return [(line, grade) for grade, table in tables.items() for line in table.strip().splitlines()]


@pytest.mark.parametrize(("line", "grade"), _pairs())
def test_two_names_of_a_market(line: str, grade: Agreement) -> None:
    first, last, other_first, other_last = line.split("|")
    one, two = read_name(first, last), read_name(other_first, other_last)
    assert names_agree(one, two) is grade
    assert names_agree(two, one) is grade


@pytest.mark.parametrize("name", ["Robert (Bob) Hale", 'Robert "Bob" Hale', "Sig.ra Anna Greco", "Ahmet Bey Kaya"])
def test_the_crm_is_given_every_word_but_the_salutation(name: str) -> None:
    read = read_name("", name)
    assert f"{read.first} {read.last}".strip() == name.removeprefix("Sig.ra ")
