"""Names of many markets, invented, by what two of them say about each other.

A line is first name | last name | first name | last name, as clients give them. `tests/sync/person/test_markets.py` compares
them as they are; the identity cases let both clients book with one phone, or one address.
"""

from __future__ import annotations

STRONG = """
Mr|Dupont Jean|Jean|Dupont
Jean|DUPONT (M.)|Jean|Dupont
Dipl.-Ing. Josef|Huber|Josef|Huber
Josef|Huber, Dr.|Josef|Huber
Huber, Josef||Josef|Huber
|Huber, Josef|Josef|Huber
|Dupont, Jean-Pierre|Jean-Pierre|Dupont
Hans-Jürgen|Müller|Hansjürgen|Mueller
Ana|García López|Ana|Garcia-Lopez
María del Carmen|Ruiz|Maria Del Carmen|Ruiz
Mari Carmen|Ruiz|María del Carmen|Ruiz
Guilherme|Santos|Guilherme|dos Santos
Antônio|Sousa e Silva|Antonio|Sousa
Giuseppe|De Luca|Giuseppe|Deluca
Giuseppe|D'Angelo|Giuseppe|D Angelo
Pieter|van der Meer|Pieter|v.d. Meer
Pieter|van der Meer|Pieter|vd Meer
Pieter|Meer, van der|Pieter|van der Meer
Anne-Sofie|Hansen|Anne Sofie|Hansen
Jens|Kjær|Jens|Kjaer
Bjørn|Håkonsen|Bjoern|Haakonsen
Gunnar|Þórsson|Gunnar|Thorsson
Wojciech|Wiśniewski|Wojciech|Wisniewski
Gökhan|Öztürk|Gokhan|Ozturk
Çiğdem|Güneş|Cigdem|Gunes
Νίκος|Γεωργίου|Nikos|Georgiou
Ελένη|Παππά|Eleni|Pappa
Алексей|Смирнов|Alexey|Smirnov
Ольга|Кузнецова|Olga|Kuznetsova
Екатерина|Попова|Ekaterina|Popova
Щербаков|Юрий|Yury|Shcherbakov
Володимир|Шевченко|Volodymyr|Shevchenko
Ірина|Мельник|Iryna|Melnyk
たかし|田中|たかし|田中
鈴木　健太||健太|鈴木
鈴木 健太 様||健太|鈴木
박 지훈||지훈|박
민준 씨|김|민준|김
Li|Na|Na|Li
Trần Thị Mai||Tran Thi Mai|
Mai|Trần Thị|Mai|Tran
Somchai|Jaidee|somchai|JAIDEE
สมชาย|ใจดี|สมชาย|ใจดี
คุณสมชาย|ใจดี|สมชาย|ใจดี
राहुल|शर्मा|राहुल|शर्मा
Dr. Ramesh|Iyer|Ramesh|Iyer
محمد|العلي|محمد|العلي
أحمد|علي|احمد|علي
Fatimah|Al-Zahra|Fatima|Alzahra
יוסף|כהן|יוסף|כהן
Siobhán|Ní Bhriain|Siobhan|Ni Bhriain
Smith, John||John|Smith
SMITH John||John|Smith
John|Smith *NO SHOW*|John|Smith
John|Smith - VIP|John|Smith
Te Aroha|Ngata|Te Aroha|Ngata
Mrs Jane|Smith|Jane|Smith
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
Anna|Berg|Anna Berg|Anna Berg
Anna|Berg|Anna Berg|Berg
Frau|Anna Berg|Anna Berg|Berg
MUDr. Jan|Novák|Jan|Novák
Mgr. Jan|Novák|Jan|Novák
Avv. Luca|Greco|Luca|Greco
Lic. Juan|Gil|Juan|Gil
Me. Anne|Roy|Anne|Roy
Maître Anne|Roy|Anne|Roy
Rev. Alan|Reed|Alan|Reed
Col. Alan|Reed|Alan|Reed
Rabbi David|Cohen|David|Cohen
Sheikh Yusuf|Khan|Yusuf|Khan
Haji Yusuf|Khan|Yusuf|Khan
Mandy|Hale|Amanda|Hale
Abby|Hale|Abigail|Hale
Steffi|Kern|Stefanie|Kern
Uschi|Kern|Ursula|Kern
Basti|Kern|Sebastian|Kern
Wolfi|Kern|Wolfgang|Kern
Véro|Roy|Véronique|Roy
Nico|Roy|Nicolas|Roy
Isa|Roy|Isabelle|Roy
Pili|Gil|Pilar|Gil
Lupe|Gil|Guadalupe|Gil
Memo|Gil|Guillermo|Gil
Javi|Gil|Javier|Gil
Zé|Costa|José|Costa
Chico|Costa|Francisco|Costa
Enzo|Greco|Vincenzo|Greco
Piotrek|Nowak|Piotr|Nowak
Krysia|Nowak|Krystyna|Nowak
Лена|Петрова|Елена|Петрова
Фёдор|Смирнов|Fyodor|Smirnov
Євген|Ткаченко|Yevhen|Tkachenko
Ђорђе|Јовановић|Djordje|Jovanovic
Ђорђе|Јовановић|Đorđe|Jovanović
Đorđe|Jovanović|Djordje|Jovanovic
Жељко|Петровић|Zeljko|Petrovic
Ευάγγελος|Μπέης|Evangelos|Beis
Anna|von und zu Berg|Anna|Berg
Anna|Saint-Pierre|Anna|St-Pierre
Anna|St. John|Anna|Saint John
Anna|Berg (allergic to nuts)|Anna|Berg
陳|大文|陈|大文
渡辺|直美|渡邊|直美
علی|رضایی|علي|رضايي
Abdul|Rahman Khan|Abdul Rahman|Khan
Ali|Reza Karimi|Ali Reza|Karimi
Maria|Jose Souza|Maria Jose|Souza
Zeynab|Karimi|Zainab|Karimi
Lakshmi|Iyer|Laxmi|Iyer
Sreenivas|Rao|Srinivas|Rao
Lukas|Kern|Lucas|Kern
Philipp|Kern|Philip|Kern
Christof|Kern|Christoph|Kern
Ralf|Kern|Ralph|Kern
Yannick|Roy|Yannic|Roy
Kristian|Dahl|Christian|Dahl
Sofie|Dahl|Sophie|Dahl
Fredrik|Dahl|Frederik|Dahl
István|ifj. Kovács|ifj. Kovács|István
Berg, Anna|Berg|Anna|Berg
Anna, M.|Berg|Anna|Berg
Anna|Berg, Lind|Anna|Berg
Anna|Berg, neu|Anna|Berg
Anna|Berg (Dr.)|Anna|Berg
Anna|Berg (no show)|Anna|Berg
Anna|Berg (ex Lind)|Anna|Berg
Anna|Berg (formerly Lind)|Anna|Lind
Mr.Paul|Roy|Paul|Roy
Dr.in Anna|Berg|Anna|Berg
Dato Ahmad|Hassan|Ahmad|Hassan
Encik Ahmad|Hassan|Ahmad|Hassan
Bapak Budi|Santoso|Budi|Santoso
Exmo. Sr. Juan|Costa|Juan|Costa
王小明先生||小明|王
Љубица|Николић|Ljubica|Nikolić
Његош|Џајић|Njegoš|Džajić
Χαράλαμπος|Ψαράς|Charalampos|Psaras
Яна|Шмидт|Yana|Schmidt
"""
WEAK = """
Marie|Dupont|Marie-Claire|Dupont
Karl-Heinz|Meier|Karl|Meier
P.|Bakker|Piet|Bakker
Саша|Попов|Александр|Попов
S.|Ramesh|Ramesh|S.
Mohammed bin Salem|Al Hamdan|Mohammed|Al Hamdan
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
Steph|Hale|Stephanie|Hale
Mohamed|Ahmed|Ahmed|Mohamed
Hassan|Ali|Ali|Hassan
Gabi|Kern|Gabriele|Kern
Andi|Kern|Andreas|Kern
Flo|Kern|Florian|Kern
Dani|Gil|Daniel|Gil
Anne|Roy|Anne-Sophie|Roy
Lê|Minh|Lê|Minh Anh
"""
NONE = """
|De heer Bos|Jan|Bos
|De heer J. Bos|Jan|Bos
Md|Rahman|Mohammad|Rahman
"""
AGAINST = """
Ali Hassan|Ali|Hassan|Ali
Mohamed Ahmed|Mohamed|Ahmed|Mohamed
John|Smith Photography|John|Smith
John|Smith Consulting|John|Smith
|Kern AG|Uwe|Kern
Uwe Kern|GbR|Uwe|Kern
|Smith Dental|John|Smith
Nguyễn Văn|An|Nguyễn Văn|Anh
Lê|Minh|Lê|An
佐藤|一郎|佐藤|二郎
田中|太郎|田中|太一
이|민준|이|민서
Alan|Reed the younger|Alan|Reed
Alan|Reed the elder|Alan|Reed the younger
Hans|Vogel der Ältere|Hans|Vogel der Jüngere
István|ifj. Kovács|István|Kovács
Kovács|István ifj.|Kovács|István
João|Costa Sobrinho|João|Costa
Anna mit Tom|Kern|Anna|Kern
Tom, Sue|Kern|Tom|Kern
Tom; Sue|Kern|Sue|Kern
Tom|Kern, Sue Lind|Tom|Kern
Anna, Tochter|Kern|Anna|Kern
Harpreet|Singh|Harpreet|Kaur
Siti|Aminah|Siti|Rahmah
Nur|Aisyah|Nur|Athirah
Muhammad|Danish|Mohammad|Haziq
Abdul|Rahim|Abdul|Karim
Anna with Tom|Hart|Anna|Hart
Anna avec Paul|Roy|Anna|Roy
Juan con Rosa|Gil|Juan|Gil
Nadja|Kern|Nada|Kern
Andrea|Kraft|Andreas|Kraft
Jan|Smith|Jane|Smith
Aleksandr|Ivanov|Aleksandra|Ivanova
Karim|Haddad|Karima|Haddad
Haruki|Mori|Haruka|Mori
Deepak|Rao|Deepika|Rao
Herr und Frau|Kern|Uwe|Kern
Kate on behalf of Leo|Ross|Leo|Ross
Anna|Berg (mother of Mia)|Anna|Berg
Marie|Dupont|Marie-Claire|Dubois
Jean-Pierre|Martin|Jean-Paul|Martin
Jean|Martin|Jeanne|Martin
Claude|Martin|Claudette|Martin
Mme Veuve|Martin|Jean|Martin
M. ou Mme|Martin|Jean|Martin
M/Mme|Martin|Jean|Martin
Enfant Léo|Martin|Anne|Martin
Maman de Léo|Martin|Léo|Martin
Hr. und Fr.|Huber|Josef|Huber
Fa.|Huber|Josef|Huber
Karl-Heinz|Meier|Karl|Maier
Juan Carlos|Ruiz|Juan Pablo|Ruiz
Sra. Juan|Ruiz|Juan|Ruiz
José|Ruiz padre|José|Ruiz hijo
Guilherme|Santos|Guilhermina|Santos
Antônio|Souza|Antônia|Souza
Gabriel|Souza|Gabriela|Souza
Fam. Rossi||Ugo|Rossi
Sig. Ugo|Rossi|Sig.ra Uga|Rossi
Andrea|Rossi|Andreina|Rossi
Piet|Bakker|Pieta|Bakker
P.|Bakker|K.|Bakker
fam|Bakker|Piet|Bakker
Jón|Jónsson|Jóna|Jónsdóttir
Ola|Hansen|Oda|Hansen
Lars|Hansen|Lara|Hansen
Kim|Hansen|Tim|Hansen
Paweł|Wiśniewski|Paulina|Wiśniewska
Pan Paweł|Wiśniewski|Pani Paula|Wiśniewska
Tomáš|Dvořák ml.|Tomáš|Dvořák st.
Tomáš|Dvořák ml.|Tomáš|Dvořák
Ali|Demir|Alia|Demir
Ali|Demir|Aliye|Demir
Νίκος|Γεωργίου|Νίκη|Γεωργίου
Александр|Попов|Александра|Попова
Валерий|Попов|Валерия|Попова
健|鈴木|健太|鈴木
김민준||김민지|
李娜||李明|
Wei|Zhang|Wen|Zhang
Trần Văn Nam||Trần Văn Hùng|
Mai|Trần Thị|Lan|Trần Thị
สมชาย|ใจดี|สมหญิง|ใจดี
राहुल|शर्मा|राहुला|शर्मा
Harpreet Singh|Gill|Harpreet Kaur|Gill
محمد|العلي|محمود|العلي
Abu Omar|Haddad|Omar|Haddad
Umm Omar|Haddad|Omar|Haddad
יוסף|כהן|יוספה|כהן
Noa|Levi|Noam|Levi
Yael|Levi|Yoel|Levi
Mick Snr|Doyle|Mick Jnr|Doyle
Young Mick|Doyle|Old Mick|Doyle
Mary (mum)|Doyle|Mary|Doyle
Baby|Doyle|Mary|Doyle
Mrs John|Smith|John|Smith
Mrs. J.|Smith|Mr. J.|Smith
John Smith and family||John|Smith
John|Smith + 1|John|Smith
John Smith x2||John|Smith
John's dad|Smith|John|Smith
Emma via Kate|Ross|Kate|Ross
Emma c/o Kate|Ross|Emma|Ross
|Mrs John Smith|John|Smith
Mrs John|Smith||Mr John Smith
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
#: (e-mail, phone) that several markets write where nothing is known.
NOBODYS_ADDRESSES = """
test@example.com
test1@example.com
noreply@example.com
anna@no-email.com
kern@keinemail.de
petit@sansmail.fr
gil@sincorreo.es
silva@sememail.com.br
bos@geenmail.nl
greco@senzamail.it
none@none.com
na@gmail.com
_483920@bookitlive.net
abc@abc.com
xxx@xxx.com
nomail@nomail.com
no_email@example.com
unknown@unknown.com
"""
NOBODYS_NUMBERS = """
+1 212 121 2121
5555555
+1 514 000 0000
+33 6 00 00 00 00
+33 6 06 06 06 06
+49 1111111111
+49 123 123 123
+34 600 000 000
+1 555 555 0199
+39 333 333 3333
+55 11 99999 9999
+81 90 0000 0000
+48 111 111 111
+91 99999 99999
+90 555 555 5555
"""
#: Addresses and numbers that only look like nobody's.
REAL_ADDRESSES = """
tester.{n}@example.com
testament.{n}@example.com
anna.test.{n}@example.com
none.such.{n}@example.com
anna.{n}@contest.com
anna.{n}@mail.com
noemi.{n}@example.com
nonna.{n}@example.com
guestave.{n}@gmail.com
"""
REAL_NUMBERS = """
+33 6 12 12 13 14
+1 514 555 0101
+44 20 7946 0018
+49 30 1234 5670
+34 611 223 344
+48 512 345 670
+55 11 98888 7777
"""
#: How one address is written; all of them are a.{n}@example.com.
WRITTEN_ADDRESSES = """
a.{n}(at)example.com
a.{n} [at] example [dot] com
a.{n} at example dot com
a.{n} @ example.com
a.{n}@example,com
<A.{n}@EXAMPLE.COM>
mailto:a.{n}@example.com?subject=Booking
a.{n}＠example.com
a.{n}@example.com;
E-Mail: a.{n}@example.com
"""
#: How one number is written: the first is the plain one.
WRITTEN_NUMBERS = """
+33 6 98 76 54 32 | 0033698765432
+33 6 98 76 54 32 | +33 (0)6 98 76 54 32
+49 151 2345 6780 | +49 (0) 151 / 23456780
+44 7700 900123 | 0044 7700-900123
+39 347 555 0123 | +39 347.555.0123 (moglie)
+34 611 22 33 44 | Móvil: +34 611223344
+31 6 2233 4455 | +31(0)6-22334455 / +31 6 9988 7766
+55 11 98888 7777 | +55 (11) 8888-7777
+54 9 11 2345 6789 | +54 11 2345 6789
+52 1 55 1234 5670 | +52 55 1234 5670
+81 90 1234 5670 | +81-90-1234-5670
+82 10 2345 6780 | +82 (10) 2345 6780
+1 514 555 0177 | 1 (514) 555-0177 mobile
+46 70 123 45 60 | +46 (0)70-123 45 60
+48 512 345 670 | +48 512-345-670 lub +48 600 111 222
+1 514 555 0178 | 514-555-0178/514-555-0179
+1 514 555 0180 | (514) 555-0180 (home) 514-555-0181 (cell)
+1 514 555 0182 | +1 514 555 0182 +1 514 555 0183
+1 514 555 0184 | 5145550184.0
+7 912 345 67 80 | +7 (912) 345-67-80 или +7 912 345 67 81
+90 532 555 01 01 | +90 (532) 555 01 01 (eşi)
"""
