"""Closed lists for reading names: what is not in them belongs to the name. Compared in the form that `words_of` gives.

ASSUMPTION where nothing else is said: the lists hold the common written forms of the booking systems' markets (English,
French, German, Spanish, Italian, Portuguese, Dutch, Nordic, Polish); no vendor publishes what people type into a name field.
"""

from __future__ import annotations

# fmt: off
#: Salutation → who is addressed: "m", "f", or "" where it does not say.
SALUTATIONS = {
    "mr": "m", "mister": "m", "sir": "m", "mrs": "f", "ms": "f", "miss": "f", "madam": "f", "mx": "",
    "monsieur": "m", "mme": "f", "madame": "f", "mlle": "f", "mademoiselle": "f",
    "herr": "m", "herrn": "m", "hr": "m", "frau": "f", "fr": "f", "fraulein": "f",
    "senor": "m", "sr": "m", "senora": "f", "sra": "f", "senorita": "f", "srta": "f", "don": "m", "dona": "f",
    "signor": "m", "signore": "m", "sig": "m", "signora": "f", "sigra": "f", "signorina": "f", "signa": "f",
    "senhor": "m", "senhora": "f", "dhr": "m", "meneer": "m", "mevr": "f", "mevrouw": "f", "mw": "f",
    "fru": "f", "froken": "f", "pan": "m", "pani": "f", "deheer": "m", "mej": "f", "mejuffrouw": "f",
    "bay": "m", "bayan": "f", "sayin": "", "shri": "m", "shree": "m", "smt": "f", "shrimati": "f",
    "dna": "f", "d\u00f1a": "f", "sigg": "m",
    "\u03ba\u03bf\u03c3": "m", "\u03ba\u03b1": "f", "\u03ba\u03c5\u03c1\u03b9\u03bf\u03c3": "m",
    "\u03ba\u03c5\u03c1\u03b9\u03b1": "f",
    "maitre": "", "captain": "", "rabbi": "", "sheikh": "", "shaikh": "", "sheik": "",
    "encik": "m", "bapak": "m", "puan": "f", "ibu": "f", "khun": "", "exmo": "", "exma": "",
    "haji": "", "hajji": "", "hadji": "", "alhaji": "",
    "гн": "m", "гжа": "f", "господин": "m", "госпожа": "f", "пан": "m", "пані": "f",
}
#: One letter that addresses somebody where a dot follows, and otherwise is an initial. "κ" is Greek.
ADDRESS_WITH_DOT = {"m": "m", "\u03ba": "m"}
#: Forms of address behind a given name (Turkish).
BEHIND = {"bey": "m", "hanim": "f"}
#: "Khun", the form of address before a Thai name, written without a gap.
KHUN = "\u0e04\u0e38\u0e13"
#: Forms of address at the end of a name written without gaps (Japanese, Korean, Chinese).
HONORIFICS = (
    "\u69d8", "\u3055\u3093", "\u3055\u307e", "\ub2d8", "\uc528", "\u5148\u751f", "\u5973\u58eb", "\u5c0f\u59d0",
)
#: Salutations and titles that are given names or surnames of their own; they count only where another word of the name follows.
ALSO_NAMES = frozenset({
    "don", "dona", "fr", "pan", "mx", "sir", "miss", "sig", "bay", "bayan", "mej", "dna", "sayin", "пан",
    "encik", "bapak", "puan", "ibu", "khun", "maitre", "captain", "rabbi", "sheikh", "shaikh", "sheik",
    "haji", "hajji", "hadji", "alhaji", "dato", "drin", "ing", "maga",
})
#: Professional titles: they say nothing of who it is.
TITLES = frozenset({
    "dr", "drs", "prof", "professor", "ing", "dipl", "mag", "med", "dott", "dottssa", "dra", "dipling", "phd", "md",
    "maga", "drin", "kfm", "univ", "univprof", "diplkfm", "profa", "arq", "dato", "datuk", "ustaz", "ustadz",
    "mudr", "mddr", "mvdr", "judr", "rndr", "phdr", "paeddr", "mgr", "avv", "lic", "rev", "revd", "reverend", "capt",
})
#: Titles that are short forms of names, or words of other languages, where no dot follows.
TITLES_WITH_DOT = frozenset({"me", "col", "hon", "maj", "lt", "sgt", "gen", "arch", "bc", "ir", "eng"})
#: What tells a child from a parent of the same name.
GENERATIONS = {
    "jr": "jr", "jnr": "jr", "jun": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "sen": "sr", "senior": "sr",
    "ml": "jr", "mladsi": "jr", "mlodszy": "jr", "st": "sr", "starsi": "sr", "starszy": "sr",
    "ii": "2", "iii": "3", "iv": "4", "2nd": "2", "3rd": "3", "4th": "4", "2": "2", "3": "3", "2e": "2", "3e": "3",
    "younger": "jr", "elder": "sr", "jungere": "jr", "juengere": "jr", "altere": "sr", "aeltere": "sr",
    "ifj": "jr", "ifjabb": "jr", "idosb": "sr", "sobrinho": "nephew",
    "fils": "jr", "filho": "jr", "hijo": "jr", "figlio": "jr", "neto": "3", "pere": "sr", "padre": "sr", "pai": "sr",
}
#: Generations that are given names or surnames too; they count only as the last word behind another one, or in brackets.
GENERATIONS_ALSO_NAMES = frozenset({
    "junior", "senior", "sen", "jun", "fils", "filho", "hijo", "figlio", "neto", "pere", "padre", "pai",
    "younger", "elder", "sobrinho",
})
#: Generations that stand in front of a name (Hungarian).
GENERATIONS_IN_FRONT = frozenset({"ifj", "ifjabb", "idosb"})
#: Ignored inside a surname of several words. "le", "do", "al", "ben" are missing: they are names of their own too.
PARTICLES = frozenset({
    "van", "von", "vom", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la", "zu", "zum", "zur", "ter",
    "ten", "af", "av", "y", "e",
})
#: Between the given names of two people.
JOINING = frozenset({
    "and", "et", "und", "y", "e", "en", "og", "och", "u", "i", "plus", "ve", "ja", "with", "mit", "avec", "con", "met",
    "\u03ba\u03b1\u03b9", "и", "і", "та",
})
#: Of those, the ones that do not also join two surnames of one person ("Ortega y Gasset", "Costa e Silva").
JOINING_SURNAMES = frozenset({"and", "et", "und", "og", "och", "plus"})
#: A relative; followed by "of" in some language, another person is named.
RELATIVES = (
    "son|daughter|child|kid|baby|mother|father|mum|mom|dad|wife|husband|partner|sister|brother|friend|guest|parent|guardian|"
    "fils|fille|enfant|bebe|mere|pere|femme|mari|epouse|sohn|tochter|kind|mutter|vater|frau|mann|"
    "hijo|hija|nino|nina|madre|padre|mujer|esposa|marido|figlio|figlia|bambino|bambina|filho|filha|bebe|mae|pai|"
    "zoon|dochter|moeder|vader|son|dotter|sonn|datter|barn|syn|corka|dziecko"
)
OF = "of|de|du|des|d|von|vom|van|del|della|di|da|do|till|til|av|for"
#: Words that stand before the person for whom something is.
FOR = frozenset({"for", "pour", "fur", "para", "per", "voor"})
#: A remark in brackets which names nobody.
REMARKS = frozenset({
    "vip", "new", "work", "office", "home", "regular", "member", "online", "private", "mobile", "client", "customer", "student",
    "neu", "privat", "arbeit", "kunde", "kundin", "nouveau", "nouvelle", "travail", "cliente", "nuevo", "nueva", "ok",
    "mr", "mrs", "ms", "m", "f", "she", "her", "he", "him", "they", "them", "allergy", "allergic", "staff",
})
#: Words with which a longer remark in brackets begins.
REMARKS_BEGIN = frozenset({
    "allergic", "allergy", "allergies", "allergisch", "allergique", "alergica", "alergico", "no", "do", "prefers", "dont",
})
#: A surname before marriage, in brackets or behind the name.
MAIDEN = frozenset({
    "nee", "ne", "geb", "geborene", "born", "nata", "fodd", "f", "ex", "formerly", "previously", "fruher", "vormals", "roz",
})
#: Men's given names that stand behind their sons' in place of a family name, as in Egypt, Sudan, Somalia and Iraq.
FATHERS_NAMES = frozenset({
    "mohammed", "ahmed", "ali", "hassan", "hussein", "omar", "othman", "ibrahim", "ismail", "yusuf", "khaled", "mahmoud",
    "mustafa", "abdullah", "abdulrahman", "rashid", "saeed", "jamal", "karim", "tariq", "samir", "nasser", "faisal",
    "bilal", "hamza", "salim", "walid", "mehdi", "adam", "musa", "isa", "idris", "salah", "farah", "abdi", "warsame",
    "jama",
})
#: Given names that many members of a family have in front of the one by which they go, besides the forms of Mohammed.
BEFORE_NAMES = frozenset({"md", "mohd", "mst", "siti", "nur", "nurul", "abdul", "syed", "sayed"})
#: Legal forms at the end of a company's name, and words that only companies have.
COMPANY = frozenset({
    "ltd", "limited", "llc", "inc", "corp", "corporation", "plc", "gmbh", "ug", "kg", "ohg", "ev", "sarl", "sas", "eurl", "srl",
    "sl", "slu", "lda", "ltda", "bv", "nv", "oy", "oyj", "aps", "company", "plumbing", "hotel", "restaurant", "clinic",
    "school",
    "university", "reception", "office",
    "ag", "mbh", "gbr", "llp", "kft", "sro", "doo", "pty", "sasu", "photography", "consulting",
    "services", "solutions", "agency",
    "enterprises", "associates", "holdings", "studio", "studios", "bakery", "dental", "construction",
})
#: A household rather than one person.
FAMILY = frozenset({
    "family", "familie", "fam", "famille", "famiglia", "familia", "familien", "familj", "household", "haushalt", "ehepaar",
    "eheleute", "couple", "rodzina", "panstwo", "rodina", "perhe", "ailesi", "gezin",
    "семья", "сімя", "\u03bf\u03b9\u03ba\u03bf\u03b3\u03b5\u03bd\u03b5\u03b9\u03b1",
})
#: Written where a given name was asked for and nobody gave one.
NO_GIVEN = frozenset({
    "na", "none", "null", "nil", "unknown", "guest", "client", "customer", "visitor", "walkin", "test", "user", "noname",
    "kunde", "kundin", "gast", "unbekannt", "invite", "inconnu", "cliente", "ospite", "desconocido", "desconhecido",
    "convidado", "invitado", "onbekend", "klant", "okand", "ukjent", "ukendt", "anonymous", "anonyme", "anonym", "x", "xx",
    "xxx", "fnu",
})
#: Written for a child who has no name yet, or whose name nobody typed: somebody else than the parents.
CHILDREN = frozenset({
    "baby", "bebe", "bebek", "newborn", "infant", "child", "kid", "kind", "enfant", "nourrisson", "neonato", "bimbo", "bimba",
    "bambino", "bambina", "dziecko", "barn", "nene", "nena",
})
#: Short forms of one given name; each line is one name. Common knowledge of the markets; unisex short forms are left out.
VARIANTS = """
alexander alex sandy alec; alexandra alex sandra; andrew andy drew; anthony tony; antonio toni tono; benjamin ben
benny; catherine katherine kathryn katharine cathy kathy kate katie cat; katharina katarina kathi; charles charlie
chuck; christopher chris; christina chris tina; christine chris; daniel dan danny; david dave; deborah debbie deb
debra; donald don; dorothy dot dottie; edward ed eddie ted; elizabeth elisabeth liz lizzie beth betty eliza; elisabeth
lisl sissi; francis frank; francisco paco pancho; frances fran; franz franzl; friedrich fritz; frederick fred freddie;
gabriel gabe; george georg; gerald gerry jerry; gregory greg; hans johann johannes; heinrich heinz heiner; henry harry
hank; ignacio nacho; jacob jake; james jim jimmy jamie; jennifer jen jenny; jessica jess jessie; jesus chus; john jon
johnny jack; jonathan jon; jose pepe; josefa pepa; joseph joe joey; josef sepp; joshua josh; kenneth ken kenny;
lawrence larry; leonard leo; leonard len; luis lucho; margaret maggie meg peggy marge; margarethe grete gretel; matthew matt;
maximilian max maxi; michael mike mick mickey micha michi; manuel manolo; nicholas nicolas nikolas nick nicky; nathaniel
nathan nate; patricia pat patty tricia trish; patrick pat paddy; peter pete; philip phillip phil; rafael rafa; raymond
ray; rebecca becky becca; richard rick rich dick ricky; robert bob rob bobby robbie bert; ronald ron ronnie; samuel
sam sammy; samantha sam; stephen steven steve; stephan stefan steffen; susan sue susie suzanne susanne; theodore ted
theo; theresa teresa terry tess; thomas tom tommy; timothy tim; ulrich uli; victoria vicky vicki tori; vincent vince
vinny; walter walt wally; wilhelm willi willy; william will bill billy liam; zachary zach zack; giuseppe beppe pino;
giovanni gianni; francesco franco cesco; roberto berto; alessandro sandro ale; luigi gigi; concepcion concha conchita;
dolores lola; rosario charo; enrique quique kike; joao jo; francisca paca; antoine tony; cornelis kees; cornelis cor; johannes
jan; johannes hans; hendrik henk; wilhelmina mina willy; aleksandra ola; katarzyna kasia; malgorzata gosia; agnieszka aga;
tomasz tomek; william wm; charles chas; thomas thos; sarah sara; hannah hanna hana channah chana; jane jayne; geoffrey
jeffrey jeff geoff; brian bryan; alan allan allen; erik eric; marc mark; lynn lynne; ann anne; clare claire; rachel
rachael; theresa teresa; maria ma mari; francisco fco; carl karl kalle; lars lasse; per pelle; nils nisse; bo bosse;
mohammed muhammad mohamed mohammad muhamed mohamad muhammed mohamet mohd muhamad mahomed; yusuf youssef yousef yousuf
yusef yousif youcef yussuf yousof; ahmed ahmad ahmet; hassan hasan; hussein husain hussain hossein husayn hossain
huseyin; omar umar omer; othman osman usman uthman; ibrahim ebrahim; ismail ismael esmail; khaled khalid halid; mahmoud
mahmud mehmood mahmood; mustafa mostafa moustafa mustapha; fatima fatma fatimah fatema fatemeh; aisha aicha ayesha aysha
aishah ayse; khadija khadijah hatice; maryam mariam meryem; zainab zaynab zeinab zeynep; nour noor nur; abdullah
abdallah abdulla; abdulrahman abderrahmane; rashid rachid rasheed rashed; saeed said saied; jamal gamal djamel cemal;
karim kareem kerim; tariq tarek tarik; samir sameer; nasser nasir naser; faisal faysal feisal; bilal belal; hamza hamzah;
yasmin yasmine yasmeen jasmin jasmine; layla leila laila leyla; amina aminah; salim saleem selim; walid waleed; rahim
raheem; mehdi mahdi; reza riza; zahra zahraa;
sergei sergey serhii sergii serhiy sergej serezha; dmitry dmitri dmitriy dmytro dimitri dmitrii dima; yevgeny evgeny
evgeni evgenii evgeniy yevhen yevgeni zhenya; yevgenia evgenia evgeniya yevheniia yevgeniya zhenya; andrei andrey andrii
andriy andrej; alexei alexey aleksei aleksey oleksii oleksiy alexej alyosha; alexander aleksandr alexandr oleksandr
aleksander aleksandar sasha; alexandra aleksandra oleksandra sasha; mikhail mykhailo michail mikhailo misha; nikolai
nikolay mykola nikolaj kolya; yuri yuriy yury iurii yurii juri; vladimir volodymyr wladimir vladimer vova; natalia natalya
nataliya nataliia natasha nathalia natalja; tatiana tatyana tetiana tetyana tanya tatjana; olga olha; julia yulia yuliya
iuliia yuliia julija; maria mariya mariia marija masha marya; anastasia anastasiya anastasiia nastya anastasija; daria
darya dariia dariya dasha; ekaterina yekaterina katerina kateryna katya jekaterina; elena yelena olena jelena; ksenia
kseniya xenia kseniia; sofia sofiya sophia sofya sofiia; irina iryna; ivan vanya; pavel pavlo; petr pyotr petro;
viktor victor; viktoria victoria viktoriya viktoriia; bohdan bogdan; hryhorii grigory grigori; svitlana svetlana;
georgios giorgos yiorgos yorgos; ioannis giannis yannis yiannis; konstantinos kostas costas constantinos; dimitrios
dimitris; nikolaos nikos; vasilios vasilis vasileios vassilis; aikaterini katerina; athanasios thanasis; evangelos
vangelis; panagiotis panos; yitzhak itzhak isaac yitzchak itzik; yosef yossef yosi yossi; chaim haim
hayim; yaakov yakov yaacov; moshe moishe; janek jan; jakub kuba; anna ania; joanna asia; magdalena magda; stanislaw
staszek; zofia zosia; barbara basia; krzysztof krzysiek; jiri jirka; josef pepa; jan honza; katerina katka;
amanda mandy; abigail abby; stephanie steph steffi stefanie stephie; stephen steph; gabriele gabi gaby; gabriela gabi gaby;
gabrielle gabi gaby; gabriel gabi; ursula uschi ulla; monika moni; monica moni; susanne susi; cornelia conny; tobias tobi;
sebastian basti seb; sebastien seb; florian flo; florence flo; matthias mathias matze; andreas andi; andrea andi; wolfgang
wolfi;
emmanuel manu; emmanuelle manu; manuel manu; manuela manu; frederic fred; frederique fred; nicolas nico; veronique vero;
isabelle isa; isabel isa; isabella isa; pilar pili; guadalupe lupe lupita; mercedes merche; fernando nando; guillermo memo
guille;
javier javi xavier; alejandro alex ale; alejandra alex ale; santiago santi; eduardo edu; daniel dani; daniela dani; danielle
dani;
jose ze; francisco chico xico; antonino nino; antonio tonino; vincenzo enzo; piotr piotrek; krystyna krysia;
elena lena; helena lena; fyodor fedor fiodor; yevhen yevgen; zainab zeynab; lakshmi laxmi; srinivas sreenivas shrinivas; jorge
jordi;
abraham abe; albert al bert; alan al; alfred al alf; angela angie; arnold arnie; archibald archie; arthur art; barbara barb;
bartholomew bart; beatrice bea; bernard bernie; beverly bev; bradley brad; clifford cliff; constance connie; cynthia cindy;
dennis denny; diana di; dominic dom; douglas doug; edgar ed; edmund ed; edwin ed; elizabeth betsy bess libby; ernest ernie;
eugene gene; gertrude trudy; gregory gregg; gwendolyn gwen; harold hal; harriet hattie; herbert herb; howard howie; isabella
bella; jacqueline jacqui; judith judy; kimberly kim; leonard lenny; lillian lily; madeline maddie maddy; malcolm mal; margaret
margie; martha mattie; marvin marv; maxwell max; michael mikey; michelle shelly; mitchell mitch; norman norm; pamela pam;
penelope penny; philippa pippa; randall randy; reginald reg reggie; robert robby; roderick rod; rodney rod; rosemary rosie;
rudolph rudy; russell russ; sidney sid; solomon sol; stanley stan; stuart stu; suzanne suzy suzie; susan suzy suzie; thaddeus
thad; theodore teddy; theresa tessa; thomas thom; timothy timmy; tobias toby; vincent vinnie; virginia ginny; vivian viv;
wallace wally; wesley wes; wilfred wilf; winifred winnie; zachary zac zak;
lukas lucas; ralf ralph; christian kristian; sofie sophie; frederik fredrik; christoph christof kristof; yannick yannic yanick;
jannik yannik; philipp philip filip; gunther gunter; nathalie natalie; mathieu matthieu; walther walter; tomas thomas; marta
martha;
erika erica; karin carin; klaus claus; konrad conrad; jakob jacob; rudolf rudolph; josephine josefine; katrin kathrin catrin;
judith judit; niklas niclas; oskar oscar; evangelos vangelis evaggelos
"""
#: Given names that only men have in the markets where a wife is addressed by her husband's: "Mrs John Smith".
MENS_NAMES = frozenset({
    "john", "james", "robert", "michael", "william", "david", "richard", "joseph", "thomas", "charles", "daniel", "matthew",
    "anthony", "mark", "donald", "steven", "stephen", "paul", "andrew", "kenneth", "george", "edward", "brian", "peter",
    "henry", "frank", "arthur", "albert", "pierre", "jacques", "philippe", "luc", "hans", "klaus", "wolfgang", "josef",
    "juan", "carlos", "luis", "antonio", "manuel", "francisco", "javier", "pedro", "miguel", "giovanni", "giuseppe",
    "marco", "paolo", "joao", "paulo", "hendrik", "lars", "erik", "nils",
})
#: Forms that a man and a woman of one household may share: beside another form of the name, they are weak evidence.
UNISEX = frozenset({
    "alex", "sandy", "chris", "sam", "sammy", "pat", "willy", "terry", "tony", "toni", "jamie", "nicky", "jo",
    "sasha", "zhenya", "wally", "nour", "noor", "nur", "micha", "steph", "gabi", "gaby", "flo", "andi", "manu", "fred",
    "dani", "ale", "vanya", "gigi",
})
#: Short forms that are as often names of their own: a father William and his son Liam, the brothers Lars and Lasse. Beside
#: another form of the name they are weak evidence.
OF_THEIR_OWN = frozenset({
    "liam", "harry", "bert", "nathan", "franco", "sandro", "sandra", "lasse", "johann", "heinz", "heiner", "steffen",
})
#: One character in the spellings that regions use for it (traditional, simplified, Japanese): all of a word count as its first.
HAN = (
    "陈陳 张張 刘劉 杨楊 黄黃 赵趙 吴吳 孙孫 马馬 许許 郑鄭 谢謝 韩韓 冯馮 邓鄧 萧蕭肖 叶葉 苏蘇 吕呂 卢盧 蒋蔣 贾賈 "
    "钱錢 汤湯 赖賴 罗羅 顾顧 龙龍竜 万萬 严嚴厳 庄莊 谭譚 陆陸 钟鍾鐘 伟偉 丽麗 华華 国國 强強 军軍 杰傑 红紅 凤鳳 "
    "兰蘭 云雲 荣榮栄 庆慶 贵貴 宝寶 辉輝 鹏鵬 飞飛 晓曉 惠恵惠 泽澤沢 桜櫻 广廣広 浜濱 高髙 崎﨑 辺邊邉 真眞 德徳 "
    "斋斎齋 滨濵 渊淵 关関關 冈岡 岛島嶋 丰豊豐 实実實"
)
#: Different given names that look like misspellings of each other; no word stands in two lines.
LOOK_ALIKE = """
michael michal; christian christin; kristian kristin kristen karsten kirsten kerstin kirstine kristine; marian marion marlon;
florian florin; sabina sabrina; marina marika marita marisa; martha marsha; gerald gerard gerhard; carina carita; cristina
cristiana; christina christiana; kamila kamala; samira samara; tamara tamira; milena malena; hubert herbert; julian juliann;
carolin carleen; janine janice; francis frances; alexandre alexandrie; stephane stephanie; daniele danielle; yassin yasmin;
sigfrid sigrid; michel michell; raphael rachael; antoine antonie; martin martijn; adrian ardian; adriana ardiana; valdas
vladas; mansoor manzoor; radojica radojka radoica; joanna johanna; michio michiyo
"""
#: Common Vietnamese surnames, an ASSUMPTION like the other lists. The order is surname, middle name, given name: not split.
VIETNAMESE = frozenset({
    "nguyen", "tran", "le", "pham", "huynh", "hoang", "phan", "vu", "vo", "dang", "bui", "do", "ho", "ngo", "duong", "ly",
})
VIETNAMESE_MIDDLE = frozenset({
    "van", "thi", "huu", "duc", "minh", "ngoc", "thanh", "quang", "xuan", "thu", "kim", "bao", "anh",
})
#: Parts of Arabic names that make a split at the last word wrong.
ARABIC = frozenset({"al", "el", "bin", "ibn", "bint", "abu", "abd", "abdul", "abdel", "umm"})
#: Frequent surnames of the markets that hardly anybody has as a given name, an ASSUMPTION like the other lists. As the first
#: word of two names they are a family's, typed before the given names of two of its members.
SURNAMES = frozenset({
    "smith", "jones", "williams", "johnson", "brown", "davies", "miller", "moore", "evans", "wright", "hughes", "roberts",
    "thompson", "edwards", "phillips", "watson", "patel", "singh", "khan", "kaur", "shah", "gupta", "sharma", "nair", "reddy",
    "chowdhury", "hossain", "tremblay", "gagnon", "cote", "bouchard", "gauthier", "morin", "lavoie", "fortin", "pelletier",
    "belanger", "levesque", "bergeron", "dubois", "durand", "leroy", "moreau", "lefebvre", "lefevre", "fournier", "bonnet",
    "dupont", "rousseau", "legrand", "garnier", "faure", "chevalier", "muller", "mueller", "schmidt", "schneider", "fischer",
    "weber", "meyer", "wagner", "becker", "schulz", "hoffmann", "schafer", "schaefer", "koch", "bauer", "richter", "klein",
    "schroder", "schroeder", "neumann", "schwarz", "zimmermann", "braun", "kruger", "krueger", "hofmann", "hartmann", "lange",
    "schmitt", "krause", "lehmann", "gruber", "huber", "pichler", "garcia", "rodriguez", "gonzalez", "fernandez", "lopez",
    "martinez", "sanchez", "perez", "gomez", "jimenez", "ruiz", "hernandez", "diaz", "moreno", "munoz", "alvarez", "romero",
    "gutierrez", "navarro", "torres", "dominguez", "vazquez", "ramos", "ramirez", "serrano", "molina", "castro", "ortega",
    "rossi", "russo", "ferrari", "esposito", "bianchi", "colombo", "ricci", "greco", "gallo", "conti", "mancini", "costa",
    "giordano", "rizzo", "lombardi", "moretti", "ferreira", "pereira", "oliveira", "rodrigues", "martins", "sousa", "souza",
    "fernandes", "goncalves", "gomes", "lopes", "marques", "almeida", "ribeiro", "carvalho", "teixeira", "nunes", "soares",
    "vieira", "barbosa", "jong", "jansen", "janssen", "vries", "bakker", "visser", "smit", "meijer", "mulder", "peeters",
    "janssens", "maes", "willems", "claes", "goossens", "wouters", "hansen", "jensen", "nielsen", "pedersen", "andersen",
    "christensen", "larsen", "sorensen", "rasmussen", "jorgensen", "petersen", "madsen", "kristensen", "olsen", "thomsen",
    "johansen", "olsson", "andersson", "johansson", "karlsson", "nilsson", "eriksson", "larsson", "persson", "svensson",
    "gustafsson", "pettersson", "jonsson", "hansson", "berg", "haugen", "lund", "korhonen", "virtanen", "makinen", "nieminen",
    "nowak", "kowalski", "kowalska", "wisniewski", "wojcik", "kowalczyk", "kaminski", "lewandowski", "zielinski", "nagy",
    "kovacs", "toth", "szabo", "horvath", "varga", "kiss", "novak", "svoboda", "novotny", "dvorak", "popescu", "ionescu",
    "popa", "yilmaz", "celik", "ozturk", "nguyen", "tran", "pham", "huynh", "hoang", "vu", "vo", "dang", "bui", "ngo",
    "duong", "wang", "zhang", "liu", "yang", "huang", "zhao", "wu", "zhou", "xu", "zhu", "guo", "chan", "wong", "cheung",
    "leung", "park", "choi", "jung", "jeong", "kang", "cho", "yoon", "jang", "lim", "sato", "suzuki", "takahashi", "tanaka",
    "watanabe", "ito", "yamamoto", "nakamura", "kobayashi", "kato", "yoshida", "yamada",
})
# fmt: on
