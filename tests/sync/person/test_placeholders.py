"""Which e-mail addresses are nobody's, and which only look alike."""

from __future__ import annotations

import pytest

from connector.sync.person.reliability import Reliability, email_reliability

NOBODYS = """
notengo@gmail.com noaplica@gmail.com nieposiada@gmail.com semeemail@gmail.com nincs@email.hu nemam@email.cz undefined@gmail.com
undefined@undefined.com laufkundschaft@salon.de clientdepassage@salon.fr placeholder@salon.com 123@gmail.com 1234@gmail.com
gdpr@gdpr.com kunde@kunde.de gast@gast.de cliente@cliente.es nein@nein.de non@non.fr leer@leer.de nema@mail.hr yok@mail.com
    no@no.com none@none.com no@none.com unknown@unknown.com na@na.com none@gmail.com noemail@gmail.com no.email@gmail.com
    no.mail@mail.com nomail@nomail.nl john.smith.7195552345@noemail.com noemailaddress@gmail.com
    no.email.address@gmail.com unknownemail@mail.com emailunknown@mail.com notgiven@gmail.com not.given@shop.com
    notavailable@hotmail.com not-available@x.com nope@nope.com refused@refused.com noemailgiven@gmail.com xxxx@xxxx.com
    aaaa@aaaa.com aa@aa.aa a@a.a a@a.com a@b.com a@b.c x@y.com x@x.x 123@123.com 1@1.com 111@111.com asd@asd.com
    asdf@asdf.com qwe@qwe.com asdasd@asd.com abc@123.com abc@abc.com zzz@zzz.com keinemail@web.de keine.email@gmx.de
    kein.mail@web.de kein@email.de keine@mail.de ohne@ohne.de ohneemail@web.de unbekannt@unbekannt.de unbekannt@web.de
    sans.mail@free.fr sans@mail.fr pasdemail@orange.fr pas.de.mail@orange.fr pasdadresse@free.fr inconnu@inconnu.fr
    aucun@aucun.fr aucune@mail.fr notiene@gmail.com no.tiene@gmail.com sincorreo@gmail.com sin.email@gmail.com
    ninguno@ninguno.com desconocido@gmail.com nocorreo@gmail.com nessuno@nessuno.it senzamail@libero.it nonha@nonha.it
    sconosciuto@libero.it semmail@sapo.pt sem.email@sapo.pt naotem@naotem.com naotem@gmail.com desconhecido@sapo.pt
    geen@geen.nl geenmail@ziggo.nl geen.email@ziggo.nl onbekend@onbekend.nl ingen@ingen.se ingenmail@ingen.dk
    ingen.mail@mail.dk ukendt@ukendt.dk ukjent@ukjent.no okand@okand.se noemail1@gmail.com noemail_2@gmail.com
    nomail+12@gmail.com customer1@noemail.com client@client.com guest@guest.com walkin@walkin.com walkins@shop.com
    walk.in@shop.com walkincustomer@shop.com test@test.de test@example.com test1@gmail.com email@email.com mail@mail.com
    noreply@shop.com no@email.com no@mail.com none@email.com none@mail.com nothing@nothing.com blank@blank.com
    empty@empty.com void@void.com null@null.null nobody@nowhere.com someone@somewhere.com noone@nowhere.com
    dontknow@gmail.com doesnothave@email.com hasnoemail@gmail.com withoutemail@gmail.com tbd@tbd.com tba@tba.com
    todo@todo.com fake@fake.com fakeemail@gmail.com dummy@dummy.com temp@temp.com default@default.com
    placeholder@placeholder.com sample@sample.com foo@bar.com foo@foo.com user@user.com name@domain.com name@email.com
    your@email.com youremail@email.com example@example.com admin@admin.com no-one@none.org xyz@xyz.com john@no-email.co.uk
    semmail@semmail.pt
"""

SOMEBODYS = """
123456@gmail.com gast@firma.de kunde.anna@web.de private@firma.de 1234567@qq.com net@firma.ru
    nonesuch@gmail.com anonymousfox@gmail.com a.smith@gmail.com ann@b.com smith@smith.com me@annsmith.com mail@annsmith.de
    info@shop.com contact@smith.fr hello@smith.com nil.turan@gmail.com test.user@x.com tester@smith.com aaron@aaron.com
    ali@ali.com an@an.nl hp@hp.com ab@ab.ch 123456789@qq.com 163@smith.com x.ai@smith.com guest@hotel.com noah@noah.com
    nomi@gmail.com nora@no.com client@lawfirm.com office@smith.com ana@na.com sans.pareil@gmail.com ohnesorge@web.de
    ingen.larsen@online.no geena@geena.nl keiner@web.de unknown.artist@gmail.com admin@smith.com user@smith.com
    name@smith.com no@smith.com na@smith.com na.li@163.com temperance@gmail.com foo.fighter@gmail.com voidfan@gmail.com
    xy@smith.com me@smith.me todor@gmail.com sample@smith.com samplebcdf@example.com p0.samplebcdf@example.com
    ada@example.com bob.jones@example.com ne@ne.ch eva@eva.cz max@max.de bob@bob.com amy@amy.net joe@joe.co semmel@gmx.de
    test.pilot@smith.com nomi.mail@gmail.com norma.mails@gmail.com eva.post@epost.de user@example.com me@me.com
    keinert@web.de
"""


@pytest.mark.parametrize("email", NOBODYS.split())
def test_what_is_typed_where_there_is_no_address_is_no_key(email: str) -> None:
    assert email_reliability(email) is Reliability.PLACEHOLDER


@pytest.mark.parametrize("email", SOMEBODYS.split())
def test_an_address_that_looks_alike_is_a_key(email: str) -> None:
    assert email_reliability(email) is Reliability.IDENTIFIES
