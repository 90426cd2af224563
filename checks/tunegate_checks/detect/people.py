"""Rules for street addresses, and for names by the title, label or closing that stands before."""

import re

from .rule import DIGIT, Rule

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞŠŽŁ", "a-zß-öø-ÿšžł"
_TITLES = """
    sr,sra,srta,dr,dra,prof,profa,mr,mrs,ms,mme,mlle,sig,sig.ra,sig.na,dott,
    dott.ssa,senhor,senhora,señor,señora,señorita,doña,don,dona,monsieur,madame,
    mademoiselle,signor,signora,frau,herr,herrn,doutor,doutora,mister,miss"""
_LABELS = """
    assinado,nome,nome completo,nome social,nome e cognome,cognome,cognome e nome,
    nombre,nombre completo,nom,nom complet,nom de famille,prénom,prenom,apellido,
    apellidos,sobrenome,vorname,nachname,surname,cardholder,nome cliente,
    nome do cliente,nome da mãe,nome do pai,nome mae,nome pai,nome do titular,
    nome titular,nome do paciente,nome paciente,nombre cliente,cliente,customer,patient,
    paciente,paziente,titular,titular da conta,titular do cartão,intestatario,
    beneficiário,beneficiario,responsável,responsavel,kunde,comprador,destinatário,
    destinatario,remetente,buyer,recipient"""
# Their first words say nothing. `name:` alone is a word of programs: it needs a whole line.
_COMPOUNDS = """full name,first name,last name,customer name,client name,patient name,
    account holder,card holder"""
_INTRODUCTIONS = """
    meu nome é,meu nome completo é,meu nome e,me chamo,chamo-me,my name is,mi nombre es,
    me llamo,je m'appelle,je m’appelle,mon nom est,mein name ist,ich heiße,ich heisse,
    mi chiamo,il mio nome è,aqui é,aqui quem fala é,signed by,assinado por"""
_CLOSINGS = """
    thanks,thank you,obrigado,obrigada,gracias,merci,danke,grazie,regards,sincerely,
    yours truly,cheers,atenciosamente,att,cordialmente,abraço,abraços,abraco,abracos,
    saudações,saludos,saludos cordiales,atentamente,cordialement,bien à vous,
    salutations,grüßen,grüße,grüssen,grüsse,cordiali saluti,distinti saluti"""
# What is written where a name may stand, and is none.
_NO_NAMES = """
    equipe,time,team,the,support,suporte,service,setor,departamento,departement,
    department,banco,loja,cliente,client,customer,kunde,kundin,doktor,professor,
    präsident,minister,ihr,das,der,die,il,el,la,los,las,le,les,un,una,uma,
    ufficio,your,our,not,não,no,none,null,nenhum,pessoa,persona,patient,paciente,
    administrador,admin,string,str,int,optional,list,dict,any,true,false,name,
    nome,nombre,nom,servizio,google,amazon,microsoft,central,atendimento,customers,
    user,users,usuário,unknown,desconhecido,direção,gerência,coordenação,recursos,
    sales,marketing,vertrieb,empresa,kundenservice,company,companhia,número,numero,
    cpf,telefone,email,senha,password,endereço,pedido,obrigado,obrigada,presidente,president,
    director,diretor,juiz,judge,chairman,und,oder,text,field,char,varchar"""
_NO_STREET = re.compile(r"\b(?:sem|com|tem|estava|cheia|foi|con|está|llena|cortada)\b", re.I)


def _phrases(text: str) -> list[str]:
    return sorted((" ".join(p.split()) for p in text.split(",")), key=len, reverse=True)


def _any_of(text: str) -> str:
    """Return a pattern of phrases; `full name` is also `full_name` and `fullName`."""
    return "(?:" + "|".join(re.escape(p).replace(r"\ ", "[ _-]?") for p in _phrases(text)) + ")"


def _first_words(text: str) -> frozenset[str]:
    """Return the word that each phrase begins with, or is as an identifier."""
    firsts = {re.split(r"[^\w]", phrase)[0] for phrase in _phrases(text)}
    return frozenset(firsts | {phrase.replace(" ", "") for phrase in _phrases(text)})


_WORDS_OF_NO_NAME = frozenset(_phrases(_NO_NAMES))


def is_name(value: str) -> bool:
    """Check that a name holds no word for a team, a role or a type of a program."""
    words = [word.lower() for word in re.split(r"[ \-]", value) if word[:1].isupper()]
    return len(value) > 2 and _WORDS_OF_NO_NAME.isdisjoint(words)


def is_street(value: str) -> bool:
    """Tell "rua das Flores, 12" from "rua sem saída, 12 vizinhos"."""
    return not _NO_STREET.search(value)


_GIVEN = (
    rf"(?:[{_UPPER}](?:['’][{_UPPER}])?[{_LOWER}]+(?:[{_UPPER}][{_LOWER}]+)?"
    rf"(?:[\-'’][{_UPPER}{_LOWER}][{_LOWER}]+)*|[{_UPPER}]{{3,}}(?![{_LOWER}\d_]))"
)
_PARTICLE = r"(?:d[aeo]s?|del|della|di|du|de la|e|y|van|von|van de[rn]?|von de[rmn])"
_FURTHER = rf"(?: (?:(?:{_PARTICLE} )?(?:{_GIVEN}|[{_UPPER}]\.)|d['’]{_GIVEN}))"
_NAME = rf"(?P<v>(?-i:{_GIVEN}{_FURTHER}{{0,5}})(?![\w@(]|\.\w))"
_LABELLED = rf"(?<![\w.])%s[\"'*]{{0,3}} ?[:=] ?[\"'*]{{0,3}}\s?{_NAME}"
_LINE_END = r"(?=[ \t,.!]*(?:\n|$))"

_STREETS = """
    rua,r.,avenida,av.,av,travessa,alameda,al.,praça,praca,pça,estrada,rodovia,
    rod.,largo,calle,c/,avda,avda.,paseo,plaza,carrera,cra,calzada,ronda"""
_FRENCH = "rue,avenue,av.,boulevard,bd,place,chemin,allée,impasse,quai,route,cours,square"
_GERMAN = "straße,strasse,str.,weg,platz,allee,gasse"
_GERMAN_PLACES = "am,an der,an den,auf der,im,in der,zum,zur,unter den"
_ITALIAN = "via,viale,v.le,piazza,piazzale,p.zza,corso,c.so,largo,vicolo,strada"
_ENGLISH = """
    St,Street,Ave,Avenue,Rd,Road,Blvd,Boulevard,Dr,Drive,Lane,Ln,Court,Ct,
    Square,Terrace,Parkway,Pkwy,Highway,Hwy,Crescent,Close,Way"""
_WORD = r"[^\W\d_][\w.'’\-]*"
_NUMBER = r",? (?:n[º°.o]{0,2}\.? ?|km ?|num\.? ?)?\d{1,5}(?:[a-z]\b|-\d{1,4})?"
_NOT_COUNTED = r"(?![\w/]|[.,:]\d| ?(?:%|€|[a-z]{2,}s\b|km|m²|graus|min\b|h\b))"
_FLAT = (
    r"(?:,? ?[\-–]? ?(?:apto?\.?|apartamento|bloco|bl\.|casa|sala|fundos|suite|ste|unit|piso)"
    r" ?[\w\-]{1,5})*"
)
_CAPITAL = rf"(?-i:[{_UPPER}][{_LOWER}'’.]+|[IVX]+\b)"
_SMALL = r"(?:d[aeo]s?|del?|la|el|los|las|e|y|der|di|della?|du|des|l['’]|d['’]|dei)"
_CAPITALS = rf"{_CAPITAL}(?:[ \-](?:{_SMALL} ){{0,2}}{_CAPITAL}){{0,5}}"

RULES = (
    # Rua das Acácias, 12; Calle de Alcalá 45; moro na rua das flores, nº 3
    Rule("address", rf"(?<!\w){_any_of(_STREETS)} (?:{_SMALL} ){{0,2}}"
        rf"(?:{_CAPITALS}{_NUMBER}|\d{{1,2}} de {_CAPITAL}{_NUMBER}"
        rf"|{_WORD}(?: {_WORD}){{0,4}}, ?(?:n[º°.o]{{0,2}}\.? ?)?\d{{1,5}}){_NOT_COUNTED}{_FLAT}",
        is_street, min_digits=1, first_words=_first_words(_STREETS)),
    # moro na rua das palmeiras 45
    Rule("address",
        rf"(?<!\w){_any_of(_STREETS)} (?:{_SMALL} ){{1,2}}{_WORD}(?: {_WORD}){{0,2}} \d{{1,5}}"
        rf"{_NOT_COUNTED}{_FLAT}", is_street, ("address",), min_digits=1,
        first_words=_first_words(_STREETS)),
    # 12 bis rue de Rivoli
    Rule("address",
        rf"{DIGIT}(?<![\w.,])\d{{1,4}}(?: ?(?:bis|ter))?,? {_any_of(_FRENCH)} (?:{_SMALL} ?){{0,2}}"
        rf"{_CAPITALS}", min_digits=1, words=_first_words(_FRENCH)),
    # Hauptstraße 5, Berliner Str. 7, Lindenweg 3a; Am Markt 1 beside "Adresse"
    Rule("address",
        rf"(?<!\w)(?-i:[{_UPPER}][{_LOWER}\-]{{2,}})(?:(?<=[a-z]{{4}})[ \-])?{_any_of(_GERMAN)}"
        rf" \d{{1,4}} ?[a-z]?\b{_NOT_COUNTED}",
        signs=tuple(f"{street} " for street in _phrases(_GERMAN))),
    Rule("address",
        rf"(?<!\w){_any_of(_GERMAN_PLACES)} {_CAPITAL} \d{{1,4}} ?[a-z]?\b{_NOT_COUNTED}",
        label_families=("address",), min_digits=1, first_words=_first_words(_GERMAN_PLACES)),
    # Via Roma 12, Piazza del Popolo, 3
    Rule("address",
        rf"(?<!\w){_any_of(_ITALIAN)} (?:{_SMALL} ?){{0,2}}{_CAPITALS},? (?:n\.? ?)?\d{{1,4}}"
        rf"(?:/?[a-z]\b)?{_NOT_COUNTED}", min_digits=1, first_words=_first_words(_ITALIAN)),
    # 12 Main St, 221B Baker Street, 350 West 42nd Street, Apt 4
    Rule("address", rf"{DIGIT}(?<![\w.,/\-])\d{{1,5}}[A-Z]? "
        r"(?-i:(?:(?:[NSEW]\.?|North|South|East|West) )?"
        rf"(?:{_CAPITAL}|\d{{1,3}}(?:st|nd|rd|th))(?: {_CAPITAL}){{0,2}} {_any_of(_ENGLISH)}\b\.?)"
        r"(?!\w)(?:,? (?:apt|suite|ste|unit)\.? ?\w{1,5})?", min_digits=1,
        words=_first_words(_ENGLISH.lower())),
    # Not in a street: Rua Dr. Arnaldo
    Rule("name", rf"(?<![\w.])(?<!rua )(?<!av )(?<!av\. )(?<!avenida )(?<!praça )"
        rf"(?:{_any_of(_TITLES)}\.? ){{1,2}}{_NAME}", is_name, first_words=_first_words(_TITLES)),
    # Not in the name of another: David M. Blei
    Rule("name", rf"(?:^|[\n,;:!?(]\s?|\b(?:et|à|de|que|pour|avec|par|chez) )(?-i:M\. ){_NAME}",
        is_name, signs=("m. ",)),
    Rule("name", _LABELLED % _any_of(_LABELS), is_name, first_words=_first_words(_LABELS)),
    Rule("name", _LABELLED % _any_of(_COMPOUNDS), is_name,
        first_words=_first_words(_COMPOUNDS)),
    Rule("name", rf"(?<![\w.])name: (?P<v>(?-i:{_GIVEN}{_FURTHER}{{1,4}})){_LINE_END}", is_name,
        first_words=frozenset(("name",))),
    Rule("name", rf"(?<!\w){_any_of(_INTRODUCTIONS)}:? (?:[oa] )?{_NAME}", is_name,
        first_words=_first_words(_INTRODUCTIONS)),
    Rule("name", rf"(?<!\w){_any_of(_CLOSINGS)}[ \t]*[,.!]?\s{{1,4}}"
        rf"(?!{_any_of(_CLOSINGS)}){_NAME}{_LINE_END}", is_name,
        first_words=_first_words(_CLOSINGS)),
)  # fmt: skip
