"""What `spans` finds in a text and what it leaves alone, one by one and by law."""

import itertools
import re
import string
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.br import cnpj, cpf

from tunegate_checks.detect.engine import _ESCAPE, KINDS, decoded, mask_value, personal_spans, plain
from tunegate_checks.detect.screen import find_private
from tunegate_checks.detect.validity import is_cnh, is_cns, is_pis, is_voter_id


def found(text: str, before: str = "") -> list[tuple[str, str]]:
    return [(s.kind, text[s.start : s.end]) for s in personal_spans(text, before)]


# --- one by one ------------------------------------------------------------------------------

FOUND = {
    "phone": """(11) 98765-4321 | +55 11 98765-4321 | 11 98765-4321 | +351 912 345 678
        415-555-2671 | 021-555-2671x99 | 021-555-2671 ext. 4471
        (415) 555-2671 | 415.555.2671 | +44 20 7946 0958 | +49 (0)30 901820 | 06 12 34 56 78
        001-202-555-0173x12 | https://wa.me/5511987654321 | meu celular é 11987654321
        zap 9 8765-4321 | tel. 3456-7890 | call me at 5551234567 | 5511987654321 é meu whats
        telefone do pedido: 11987654321 | telemóvel 912 345 678 | 078 6657 2626 office
        celular 11 98765-4321 | Contato da Maria: 47 999887766 | T: +1 (650) 253-0000
        Telefones: 11 3456-7890""",
    "email": """jo@x.io | (ana.b+c@site.com.br) | <o'neil@mail.example.co.uk>
        e-mail:ze@uol.com.br;x
        joao arroba gmail ponto com | john [at] gmail [dot] com | MAILTO:BOB@CORP.COM""",
    "cpf": """529.982.247-25 | CPF:52998224725 | cpf nº 529 982 247 25 | meu cpf é 529982247-25
        C.P.F. 52998224725 | cpf do titular do cartão: 52998224725 | Pedido 884422, CPF 52998224725
        52998224725 é o meu CPF | CPF do comprador no pedido 123456: 52998224725""",
    "cnpj": """11.222.333/0001-81 | cnpj 11222333000181 | 12.ABC.345/01DE-35
        CNPJ 12abc34501de35""",
    "rg": "RG 12.345.678-9 SSP/SP | identidade nº MG-10.234.567 | R.G. 25334088-4 | rg: 1234567-X",
    "cnh": "CNH 02650306461 | carteira de motorista 62472927637",
    "pis": "120.56874.10-7 | PIS 12056874107 | NIS: 120 56874 10 7",
    "voter_id": "título de eleitor 0043 5687 0906 | titulo eleitoral: 102385010671",
    "cns": "cartão do SUS 898 0000 0004 3208 | CNS 898000000043208",
    "cep": "CEP 01310-100 | endereço 01310100",
    "pix_key": "chave pix 123e4567-e89b-12d3-a456-426614174000",
    "plate": "placa ABC1D23 | veículo ABC-1234 | minha moto, placas abc 1234",
    "card": """4111 1111 1111 1111 | card 4111-1111-1111-1111 exp 12/27 | 3782 822463 10005
        5555555555554444 | cartão 6011000990139424 | my card 4131034282458809939 expired""",
    "iban": """GB29 NWBK 6016 1331 9268 19 | gb29nwbk60161331926819 please | DE89370400440532013000
        PT50 0002 0123 1234 5678 9015 4""",
    "us_ssn": "SSN 123-45-6789 | 536-22-8726 | social security number 123456789 | ssn 987-65-4321",
    "eu_vat": "VAT number DE136695976 | NIF PT501964843",
    "es_dni": "12345678Z | DNI 12345678-z",
    "es_nie": "X1234567L",
    "pt_nif": "NIF 123456789 | contribuinte nº 501 964 843",
    "pt_cc": "00000000 0 ZZ4",
    "fr_nir": """2 95 10 99 126 111 93 | numéro de sécurité sociale 295109912611193
        1 85 05 2A 078 006 87 | 1 85 05 2B 078 006 17""",
    "it_codicefiscale": "RCCMNL83S18D969H",
    "de_idnr": "Steuer-ID 36 574 261 809 | IdNr. 36574261809",
    "nl_bsn": "BSN 111222333",
    "be_nn": "85.07.30-033.28 | rijksregisternummer 85073003328",
    "pl_pesel": "PESEL 44051401359",
    "ip": """login from 203.0.113.45 | http://203.0.113.45:8080/x | IP 1.2.3.4 | 10.218.6.131
        2001:0db8:85a3:0000:0000:8a2e:0370:7334 | [2804:14d:5c8f::8a2e:7334]
        fe80::1ff:fe23:4567:890a""",
    "mac": "00:1A:2B:3C:4D:5E | 00-1a-2b-3c-4d-5e | MAC 001a.2b3c.4d5e",
    "wallet": """1BoatSLRHtKNngkdXEeobR76b53LETtpyT | 0x52908400098527886E0F7030069857D2E4169EE7
        bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4""",
    "birth_date": """nasci em 12/03/1980 | DOB: 03/12/1985 | born on March 3, 1980 | DN 1980-05-17
        nascida em 12 de março de 1980 | data de nascimento: 12.03.80""",
    "password": """password: hunter2 | minha senha é abc@123 | Senha: Xyz2024 | pwd=Secr3tPass
        PIN 4821
        "password": "Abc12345"
        a senha do wi-fi é "Casa2024!\"""",
    "cnj": "0710802-55.2018.8.02.0001 | processo nº 07108025520188020001",
    "renavam": "RENAVAM 00639884962 | renavam 639884962",
    "ctps": "CTPS 1234567 série 0012 | carteira de trabalho nº 1234567/00123",
    "bank_account": """agência 1234-5 | conta corrente 12345-6 | c/c 12.345-X
        ag. 1234 | Konto 1234567
        sort code 20-12-34 | account number 12345678 | CLABE 002115016003269411
        cuenta 2100 | conto corrente 000000123456""",
    "passport": "passaporte FD123456 | passport number 488812345 | Reisepass C01X00T47",
    "driver_license": """driver's license D1234567 | Führerschein B072RRE2I55
        licencia de conducir 12345678
        patente U1A123456B""",
    "address": """Rua das Flores, 123 | Av. Dom Pedro II nº 1000, apto 42 | rua sete de abril, 12
        Calle de Alcalá 45 | 12 bis rue de Rivoli | Hauptstraße 5 | Berliner Str. 17a | Via Roma 12
        Piazza del Popolo, 3 | 123 Main St | 221B Baker Street | 350 West 42nd Street, Apt 4
        Adresse: Am Markt 7 | moro na rua das palmeiras 45""",
    "name": """a Sra. Maria Souza ligou | Meu nome é João da Silva | Regards, John O'Brien
        Mme Lefèvre
        Nome completo: Ícaro Meireles | M. Dubois est absent | Mit freundlichen Grüßen Jürgen Weiß
        {"customerName": "Ana Souza"} | Dr. George W. Ellis | Name: Ann Lee
        ich heiße Uwe von Stein
        Mi chiamo Niccolò D'Angelo | full_name = Mary-Ann Smith | Paciente: LUCIA RUIZ""",
    "id_card": "Personalausweis L01X00T471 | carte d'identité 880692310285",
    "us_itin": "ITIN 975-99-6004",
    "us_ein": "EIN 99-5891236",
    "ca_sin": "SIN 749 616 314",
    "mx_curp": "LAZK730921MJCRTR06",
    "mx_rfc": "PILC580828W67",
    "ar_cuit": "20-96203219-3 | CUIL 20962032193",
    "ar_dni": "DNI 23.271.464 | dni 00345678",
    "cl_rut": "11.123.515-5 | RUT 111235155",
    "co_nit": "NIT 823540694-3",
    "co_cc": "cédula de ciudadanía 1.032.456.789",
    "pe_ruc": "RUC 15199306933",
    "ec_ci": "cédula 1611884808",
    "ve_rif": "RIF V860018345",
    "uk_nino": "NI number AB 03 66 58 C",
    "uk_nhs": "NHS number 494 455 2440",
    "uk_utr": "UTR 7050199796",
    "ie_pps": "PPS 1366302EA",
    "in_aadhaar": "Aadhaar 7724 2571 1871",
    "in_pan": "PAN DKBPY4028T",
    "au_tfn": "TFN 377 396 454",
    "at_vnr": "SVNR 5752280650",
    "bg_egn": "EGN 7902088378",
    "ch_ahv": "AHV 7562751006517",
    "cz_rc": "rodné číslo 9705078933",
    "de_stnr": "Steuernummer 276/2035/5131",
    "dk_cpr": "CPR 2402819639",
    "ee_ik": "isikukood 39610074265",
    "es_cif": "CIF B77049807",
    "fi_hetu": "251190-292M",
    "fr_nif": "numéro fiscal 1831584947493",
    "gr_amka": "AMKA 25023791244",
    "hr_oib": "OIB 10292140546",
    "it_ci": "carta d'identità CA84515LY",
    "it_iva": "partita IVA 06639051009",
    "lt_asmens": "asmens kodas 39908160745",
    "lv_pk": "personas kods 25098411335",
    "no_fnr": "fødselsnummer 14049257822",
    "pl_nip": "NIP 7444822936",
    "ro_cnp": "CNP 1631222124241",
    "se_personnummer": "personnummer 851121-4523",
    "si_emso": "EMŠO 2604985507597",
    "url_credentials": "postgres://admin:s3cr3t@db.internal:5432/x | https://joe:pw@example.com/",
}  # fmt: skip
EACH = [(k, t.strip()) for k, texts in FOUND.items() for t in re.split(r" \| |\n", texts)]

SILENT = """
Protocolo de ligação 2024123456789 | Contato em 12/03/2024 15 minutos | veja logo@home.png
Meu telefone mudou, meu CPF é 52998224726 | Perdi meu telefone. Ontem eu andei uns 1234567 metros
"id": 5551234567 | kernel 5.15.0.105 | Telefones vendidos: 12.345.678 | a placa B450M-DS3H
Order 555-0123 shipped | Your order number is 123-4567890-1234567 | Tracking 1Z999AA10123456784
Invoice INV-2024-00123 dated 2024-03-15 for $1,234.56 | ISBN 978-3-16-148410-0 | pedido 11987654321
version 1.2.3.4 released | see section 1.2.3.4 | Python 3.11.7 and numpy 1.26.4 | build 10.4.2.17
I called on 2024-03-12 10:20:30 | Contato feito em 12.03.2024 | Meu celular custou R$ 2500,00
comprei um celular no pedido 12345678901 | My phone's IMEI is 490154203237518 | call 12345678 times
<<1000-200=800>> for the phone | CALL_ME_BACK = 123456789 | call back: exitcode=3.1415926
multi start -c 3  -c:1-3 10 | 'password': _get('redis_password'),
protocolo 52998224725 | Protocolo 2024.0012.3456 | chamado 20240012345678 | 52998224725
11987654321
postgres://user:password@db.example.com/x | redis://:$REDIS_PASSWORD@cache.example.com
password=confirmPassword | if (password.length > 8) return | password_field = PasswordInput()
db_password = env("DB_PASSWORD") | pwd: getenv("PWD9") | self.passwd = args.new_passwd
GPIO pin PB12 | pin a==2.0.1b3 | senha: {{senha1}} | password: "<your password 1>" | pwd=%PWD%
RTX-4090 é uma placa de vídeo | placa-mãe ABC-1234 | SKU 12345678Z | 01310-100 | cód. 01310-100
std::vector<int> a; dead::beef | 10:20:30 - 11:00:00 | uuid 123e4567-e89b-12d3-a456-426614174000
Password must be at least 8 characters | password: ******** | senha: [SENHA]
Senha inválida (erro 4032)
a senha expira em 30/06/2024 | Esqueci minha senha | password: ${DB_PASSWORD}
1999-2000 and 2023-2024
https://example.com/items/4111111111111111 | twitter.com/status/1234567890123456789 | My IP changes
NF-e 35240311222333000181550010000012341000012345 | Processo 0001234-56.2023.8.26.0100
R$ 12.345.678-9
34191.79001 01043.510047 91020.150008 1 90000000012345 | Ouvidoria 0800 727 7477 | ligue 4004-1234
icon@2x.png and logo@3x.jpg | git@github.com:org/repo.git | npm install lodash@4.17.21 | @ana_silva
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 | GTIN-13: 7891234567895
127.0.0.1:8000 | gateway 192.168.0.1 | mask 255.255.255.0 | DNS 8.8.8.8 | ::1
Zoom meeting 812 3456 7890
card ending in 4242 | cartão final 1234 | série 4111 1111 1111 1112 | CPF ***.***.***-25
Lei nº 13.709/2018
111.111.111-11 | CPF 11111111111 | CNPJ 00.000.000/0000-00 | latitude -23.550520
1.000.000 de acessos
nasceu em 1980 | prazo 12/03/2025 | phi = 1.6180339887 | Student ID 12345678 | lote 20240315
"""  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), EACH)
def test_found(kind: str, text: str) -> None:
    assert [k for k, _ in found(text)] == [kind]


@pytest.mark.parametrize("number", ["23456789", "98765432", "5512345678"])
def test_a_placeholder_does_not_say_what_the_number_behind_it_is(number: str) -> None:
    for kind in KINDS:
        assert found(f"[{kind.upper()}_1] {number}") == []
    assert found(f"phone [EMAIL_1] {number}") == [("phone", number)]


def test_every_kind_has_its_texts_here() -> None:
    assert set(FOUND) == set(KINDS)


@pytest.mark.parametrize("text", [t for t in re.split(r" \| |\n", SILENT) if t])
def test_silent(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Pedido 370872 atrasado, tel 11987654321", [("phone", "11987654321")]),
        ("Telefone 11987654321, CPF 52998224725",
         [("phone", "11987654321"), ("cpf", "52998224725")]),
        ("moro na Rua Dr. Arnaldo, 12, 01310-100",
         [("address", "Rua Dr. Arnaldo, 12"), ("cep", "01310-100")]),
        ("Obrigada.\n\nAtenciosamente,\nRita de Cássia\nGerente", [("name", "Rita de Cássia")]),
        ("Obrigado! Perfeito!", []),
        ("I was charged twice. Thanks. Bye!", []),
        ("Obrigado.\nRita", [("name", "Rita")]),
        ("Thanks, Rita", [("name", "Rita")]),
        ("Thanks! Rita Lima", [("name", "Rita Lima")]),
        ("Thanks!  Rita Lima", [("name", "Rita Lima")]),
        ("(recado: 11 98765-4321)", [("phone", "11 98765-4321")]),
        ("a@b.com.br,c@d.com", [("email", "a@b.com.br"), ("email", "c@d.com")]),
        ("IBAN GB29NWBK60161331926819.", [("iban", "GB29NWBK60161331926819")]),
        ("ftp://ana:x1@host.com e ana@host.com",
         [("url_credentials", "ana:x1"), ("email", "ana@host.com")]),
    ],
)  # fmt: skip
def test_the_value_and_nothing_else(text: str, wanted: list[tuple[str, str]]) -> None:
    assert found(text) == wanted


# --- laws ------------------------------------------------------------------------------------

digits = st.text(string.digits, min_size=9, max_size=9).filter(lambda d: len(set(d)) > 1)


@given(digits)
def test_every_valid_cpf_is_found_and_none_with_a_wrong_digit(body: str) -> None:
    number = body + cpf._calc_check_digits(body)
    assert found(f"Meu CPF é {number}, obrigado") == [("cpf", number)]
    assert found(cpf.format(number)) == [("cpf", cpf.format(number))]
    for digit in string.digits.replace(number[-1], ""):
        assert found(cpf.format(number[:-1] + digit)) == []


@given(st.text(string.digits + string.ascii_uppercase, min_size=12, max_size=12))
def test_every_valid_cnpj_is_found_and_none_with_a_wrong_digit(body: str) -> None:
    number = body + cnpj.calc_check_digits(body)
    if len(set(body[:8])) == 1:
        return
    assert found(f"CNPJ {cnpj.format(number)}.") == [("cnpj", cnpj.format(number))]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert found(cnpj.format(wrong)) == []


@given(st.text(string.digits, min_size=14, max_size=14).filter(lambda d: len(set(d)) > 1))
def test_every_valid_visa_number_is_found_and_none_with_a_wrong_digit(body: str) -> None:
    number = "4" + body + luhn.calc_check_digit("4" + body)
    grouped = " ".join(re.findall("....", number))
    assert found(f"Paguei com {grouped}") == [("card", grouped)]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not [k for k, _ in found(f"cartão {wrong}") if k == "card"]


@pytest.mark.parametrize(
    ("valid", "size"),
    [
        (is_pis, 11),
        (is_cnh, 11),
        (is_voter_id, 12),
        (is_cns, 15),
    ],
)
@given(data=st.data())
def test_of_ten_last_digits_at_most_one_is_right(valid, size, data) -> None:  # type: ignore[no-untyped-def]
    body = data.draw(st.text(string.digits, min_size=size - 1, max_size=size - 1))
    assert sum(valid(body + d) for d in string.digits) <= 1


@given(st.text())
def test_any_text_gives_spans_in_order_and_apart(text: str) -> None:
    result = personal_spans(text)
    assert all(0 <= s.start < s.end <= len(text) for s in result)
    assert all(a.end <= b.start for a, b in itertools.pairwise(result))


ODD = st.one_of(st.characters(categories=("Nd", "No", "Zs", "Pd", "Mn")), st.sampled_from("İıſKß"))


@given(st.sampled_from([text for _, text in EACH]), st.data())
def test_odd_digits_letters_and_dashes_raise_nothing(text: str, data: st.DataObject) -> None:
    """Check digits are read only from digits that they are defined for."""
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(text) - 1))
        text = text[:index] + data.draw(ODD) + text[index + 1 :]
    assert len(plain(text)) == len(text)
    for span in [*personal_spans(text), *personal_spans(text, bare=True)]:
        assert 0 <= span.start < span.end <= len(text)
    list(find_private(text, quotes=True))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r'{"r": "Ana\nCPF 52998224725"}', [("cpf", "52998224725")]),
        (r'{"r": "x\n10.20.30.40"}', [("ip", "10.20.30.40")]),
        (r'{"e":"ana\u0040loja.com.br", "f": "(11)\u00a098765-4321"}',
         [("email", r"ana\u0040loja.com.br"), ("phone", r"(11)\u00a098765-4321")]),
        (r'"ftp:\/\/ana:x1y2z3@host\/a"', [("url_credentials", "ana:x1y2z3")]),
        ("<td>ana&#64;loja.com.br</td>&nbsp;415-555-2671&amp;",
         [("email", "ana&#64;loja.com.br"), ("phone", "415-555-2671")]),
        ("?mail=ana%40loja.com.br&x=1", [("email", "ana%40loja.com.br")]),
        ("nome=Jos%C3%A9%20da%20Silva&x=1", [("name", "Jos%C3%A9%20da%20Silva")]),
        (r"\theta = 5 \times 10, 100% &c; \u12 &notaname;", []),
    ],
)  # fmt: skip
def test_escapes_are_decoded_and_spans_hold_the_text_as_it_is_written(
    text: str, wanted: list[tuple[str, str]]
) -> None:
    assert found(text) == wanted


@given(st.text('ab@\nu0041&#;x%"/ampé', max_size=40))
def test_each_character_of_a_decoded_text_has_its_place(text: str) -> None:
    decoded_text, places = decoded(text)
    assert len(places) == len(decoded_text) + 1
    assert places[-1] == len(text)
    assert all(a < b for a, b in itertools.pairwise(places))
    for i, character in enumerate(decoded_text):
        piece = text[places[i] : places[i + 1]]
        assert piece == character or _ESCAPE.fullmatch(piece)


def test_the_digits_of_every_script_raise_nothing() -> None:
    texts = dict(EACH).values()
    for zero in [c for c in map(chr, range(128, sys.maxunicode)) if unicodedata.decimal(c, 1) == 0]:
        digits = str.maketrans(string.digits, "".join(chr(ord(zero) + i) for i in range(10)))
        for text in texts:
            head, digit, tail = re.split(r"(\d|$)", text, maxsplit=1)
            personal_spans(head + digit.translate(digits) + tail)


@given(st.from_regex(r"[\w .:/@()+\-]{0,40}(\d{2,5}[ .\-/]?){1,5}[\w .:/@()+\-]{0,40}"))
def test_the_same_text_behind_another_sentence_gives_the_same_values(text: str) -> None:
    alone = {v for _, v in found(text)}
    assert alone <= {v for _, v in found("Nada consta aqui neste trecho tão longo. \n" + text)}


@example("cpf", "00000000\n")  # a line of the report must stay one line
@example("phone", "-.-.-.-.-")
@settings(max_examples=300)
@given(
    st.sampled_from(KINDS),
    st.one_of(st.text(min_size=6), st.from_regex(r"\A[\w.]{3,9}@\w{3,9}\.\w{2,3}\Z"),
              st.text(string.digits + " .-/()", min_size=6, max_size=24)),
)  # fmt: skip
def test_a_mask_never_shows_the_value(kind: str, value: str) -> None:
    mask = mask_value(kind, value)
    assert value not in mask
    shown = [c for c in mask if c.isalnum()]
    tld = len(value.rpartition(".")[2]) if kind == "email" else 0
    assert len(shown) <= 2 + tld
    assert "\n" not in mask


@pytest.mark.parametrize(
    "text",
    ["1" * 50_000, "1 " * 25_000, "1-" * 25_000, "a" * 50_000 + "@", "a@" * 25_000, "(" * 50_000,
     "a." * 25_000, "AB12 " * 10_000, "senha " * 8_000, "::" * 25_000, "fone 1(" * 7_000,
     "cpf rg cnpj " * 4_000 + "1", "\\" * 50_000, "\\u0040" * 8_000, "a://:" * 10_000,
     "nome,cpf\n" + "a,52998224725\n" * 2_000, "CPF:\n" * 8_000, "rua a, " * 7_000,
     "Sra. Ana de " * 4_000, "Nome: A " * 6_000, "a@b, " * 10_000],
)  # fmt: skip
def test_no_text_takes_for_ever(text: str) -> None:
    began = time.process_time()
    personal_spans(text)
    assert time.process_time() - began < 60  # 50 kB take 0.2 s at most; a bad pattern takes hours
