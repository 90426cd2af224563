"""Rules for dates of birth, and for tax and identity numbers of other countries.

Check digits are those of python-stdnum. A number that has letters or punctuation in fixed places
needs only its check digit; a run of digits needs its label beside it (89 % of random nine-digit
numbers pass as an SSN). Where python-stdnum has no module, the shape and the label must do.
"""

from .rule import DIGITS, NUMBER, Rule, only_digits

_DATED = r"\d\d[01]\d[0-3]\d"  # yymmdd
_VAT = r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"

# Kind, pattern, module of python-stdnum, labels. With "-" before them the shape needs no label.
TABLE: tuple[tuple[str, str, str, str], ...] = (
    ("passport", r"(?=(?:[A-Z]*\d){5})[A-Z\d]{8,9}", "",
     "passaporte,passaportes,passport,passports,passport number,pasaporte,passeport,reisepass,"
     "reisepassnummer,passnummer,passaporto"),
    ("driver_license", r"(?=(?:[A-Z]*\d){4})[A-Z\d]{7,16}", "",
     "drivers licence,driver s licence,driver license,drivers license,driver s license,"
     "driving licence,driving license,"
     "license number,licence number,driver licence,permis de conduire,permis,fuhrerschein,"
     "fuhrerscheinnummer,patente,patente di guida,carnet de conducir,licencia de conducir,"
     "permiso de conducir,carta de conducao"),
    ("id_card", r"(?=(?:[A-Z]*\d){5})[A-Z\d]{9,12}", "",
     "personalausweis,ausweisnummer,ausweis,carte d identite,carte nationale d,identity card"),
    # The Americas
    ("us_itin", r"9\d\d-?[5-9]\d-?\d{4}", "us.itin", "itin,taxpayer,tax id"),
    ("us_ein", r"\d\d-\d{7}", "us.ein", "ein,employer identification,fein,tax id"),
    ("ca_sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin", "sin,social insurance"),
    ("mx_curp", rf"[A-Z]{{4}}{_DATED}[HM][A-Z]{{5}}[A-Z\d]\d", "mx.curp", "-"),
    ("mx_rfc", rf"[A-ZÑ&]{{4}}-?{_DATED}-?[A-Z\d]{{2}}[\dA]", "mx.rfc", "-rfc,contribuyente"),
    ("ar_cuit", r"(?:20|2[347]|3[034])-\d{8}-\d", "ar.cuit", "-"),
    ("ar_cuit", r"\d{11}", "ar.cuit", "cuit,cuil,cdi"),
    ("ar_dni", r"\d\d?\.?\d{3}\.?\d{3}", "ar.dni", "dni,documento de identidad,documento"),
    ("cl_rut", r"\d\d?\.\d{3}\.\d{3}-[\dK]", "cl.rut", "-"),
    ("cl_rut", r"\d{7,8}-?[\dK]", "cl.rut", "rut,run"),
    ("co_nit", r"\d{3}\.?\d{3}\.?\d{3,4}-?\d", "co.nit", "nit"),
    ("ec_ci", r"\d{10}", "ec.ci", "cedula,cedula de identidad,ci"),
    ("co_cc", r"\d{1,3}(?:\.\d{3}){2,3}|\d{7,10}", "", "cedula de ciudadania,cedula,cc no"),
    ("pe_ruc", r"[12]\d{10}", "pe.ruc", "ruc"),
    ("ve_rif", r"[VEJPG]-?\d{8}-?\d", "ve.rif", "rif"),
    # Britain and Ireland, India, Australia
    ("uk_nino", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", "",
     "nino,ni number,ni no,national insurance,insurance number"),
    ("uk_nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", "nhs,nhs number"),
    ("uk_utr", r"\d{5} ?\d{5}", "gb.utr", "utr,taxpayer reference"),
    ("ie_pps", r"\d{7}[A-W][A-IW]?", "ie.pps", "pps,ppsn"),
    ("in_aadhaar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", "in_.aadhaar", "aadhaar,aadhar,uid,uidai"),
    ("in_pan", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", "in_.pan", "pan,pan card,permanent account"),
    ("au_tfn", r"\d{3} ?\d{3} ?\d{2,3}", "au.tfn", "tfn,tax file"),
    # Continental Europe
    ("at_vnr", r"\d{4} ?\d{6}", "at.vnr", "svnr,sozialversicherungsnummer,versicherungsnummer"),
    ("be_nn", r"\d{11}", "be.nn",
     "rijksregister,rijksregisternummer,registre national,numero national,niss,insz"),
    ("bg_egn", r"\d{10}", "bg.egn", "egn"),
    ("ch_ahv", r"756\.?\d{4}\.?\d{4}\.?\d\d", "ch.ssn", "ahv,avs,ahv nummer"),
    ("cz_rc", r"\d{6}/?\d{3,4}", "cz.rc", "rodne cislo,rc"),
    ("de_idnr", r"\d\d ?\d{3} ?\d{3} ?\d{3}", "de.idnr",
     "idnr,steuer,steuer id,steuerid,steueridentifikationsnummer,steuernummer,tax id,tin"),
    ("de_stnr", r"\d{2,3}/\d{3,4}/\d{4,5}", "de.stnr", "steuernummer,steuer,st nr,stnr"),
    ("dk_cpr", r"\d{6}-?\d{4}", "dk.cpr", "cpr,cpr nummer,personnummer"),
    ("ee_ik", r"[1-6]\d{10}", "ee.ik", "isikukood"),
    ("es_cif", r"[A-HJNP-SUVW]-?\d{7}-?[\dA-J]", "es.cif", "cif"),
    ("fi_hetu", r"\d{6}[+\-A]\d{3}[\dA-Z]", "fi.hetu", "-"),
    ("fr_nir", r"[12]\d{4}\d[\dAB]\d{8}", "fr.nir",
     "nir,numero de securite,securite sociale,securite,insee,secu"),
    ("fr_nif", r"[0-3]\d ?\d\d ?\d{3} ?\d{3} ?\d{3}", "fr.nif", "fiscal,numero fiscal,spi"),
    ("gr_amka", r"\d{11}", "gr.amka", "amka"),
    ("hr_oib", r"\d{11}", "hr.oib", "oib"),
    ("it_ci", r"[A-Z]{2} ?\d{5} ?[A-Z]{2}", "", "carta d identita,carta identita,identita,cie"),
    ("it_iva", r"\d{11}", "it.iva", "partita iva,p iva,piva,iva"),
    ("lt_asmens", r"[1-6]\d{10}", "lt.asmens", "asmens kodas"),
    ("lv_pk", r"\d{6}-?\d{5}", "lv.pvn", "personas kods"),
    ("nl_bsn", r"\d{4}[ .]?\d\d[ .]?\d{3}", "nl.bsn", "bsn,burgerservicenummer,sofinummer,sofi"),
    ("no_fnr", r"\d{6} ?\d{5}", "no.fodselsnummer", "fødselsnummer,personnummer"),
    ("pl_pesel", r"\d{11}", "pl.pesel", "pesel"),
    ("pt_nif", r"\d{3} ?\d{3} ?\d{3}", "pt.nif",
     "nif,contribuinte,numero fiscal,identificacao fiscal"),
    ("pl_nip", r"\d{3}-?\d{3}-?\d\d-?\d\d", "pl.nip", "nip"),
    ("ro_cnp", r"[1-8]\d{12}", "ro.cnp", "cnp,cod numeric personal"),
    ("se_personnummer", r"(?:19|20)?\d{6}[+-]?\d{4}", "se.personnummer", "personnummer"),
    ("si_emso", r"\d{13}", "si.emso", "emso"),
)  # fmt: skip

# The signs of those that need no label.
_SIGNS = {
    "mx_curp": ("AAAA000000AAAAAA",),
    "mx_rfc": ("A000000", "A-000000", "&000000", "&-000000"),
    "ar_cuit": ("00-00000000-0",),
    "cl_rut": (".000.000-",),
    "fi_hetu": ("000000-000", "000000+000", "000000A000"),
}
FAMILIES = {kind: labels.lstrip("-") for kind, *_, labels in TABLE if labels != "-"}

_MONTH = (
    r"(?:jan|feb|fev|mar|apr|abr|may|mai|jun|jul|aug|ago|sep|set|oct|out|nov|dec|dez)[a-zç]{0,7}\.?"
)
_DATE_FORMATS = (
    r"\d{1,2}(?P<a>[/.\-])\d{1,2}(?P=a)(?:\d{4}|\d{2})",
    r"(?:19|20)\d\d(?P<b>[/.\-])\d{1,2}(?P=b)\d{1,2}",
    rf"\d{{1,2}}(?:º|st|nd|rd|th)? (?:de |of )?{_MONTH},? (?:de )?(?:19|20)\d\d",
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d",
)
_DATE = rf"(?<![\w/.\-])(?:{'|'.join(_DATE_FORMATS)})(?!\w|[/.\-]\w)"


def is_ssn(value: str) -> bool:
    """Check a US SSN: no area 000, 666 or 9xx, no group 00, no serial 0000, none from an advert."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


RULES = (
    *(
        Rule(
            kind, (DIGITS if pattern.startswith("\\d") else NUMBER) % pattern,
            label_families=() if labels[0] == "-" else (kind,),
            needs_own_label=not module, silent_under_other_label=labels[0] == "-",
            min_digits=6 if labels[0] == "-" else 4 if module else 2, stdnum=module,
            signs=_SIGNS[kind] if labels[0] == "-" else (),
        )
        for kind, pattern, module, labels in TABLE
    ),
    Rule("us_ssn", DIGITS % r"\d{3}-\d\d-\d{4}(?!-)", is_ssn, silent_under_other_label=True,
        min_digits=9, signs=("000-00-0000",)),
    Rule("us_ssn", DIGITS % r"\d{3}-\d\d-\d{4}(?!-)", label_families=("ssn",), needs_own_label=True,
        min_digits=9),
    Rule("us_ssn", DIGITS % r"\d{3} ?\d\d ?\d{4}", is_ssn, ("ssn",), needs_own_label=True,
        min_digits=9),
    Rule("eu_vat", rf"(?<!\w){_VAT} ?[\dA-Z](?:[ .]?[\dA-Z]){{6,11}}(?!\w)",
        label_families=("vat",), min_digits=5, stdnum="eu.vat"),
    Rule("es_dni", DIGITS % r"\d{8}-?[A-Z]", silent_under_other_label=True, min_digits=8,
        signs=("00000000A", "00000000-A"), stdnum="es.dni"),
    Rule("es_nie", NUMBER % r"[XYZ]-?\d{7}-?[A-Z]", silent_under_other_label=True, min_digits=7,
        signs=("A0000000A", "A0000000-A", "A-0000000A", "A-0000000-A"), stdnum="es.nie"),
    Rule("pt_cc", DIGITS % r"\d{8} ?\d ?[A-Z][\dA-Z]\d", min_digits=8,
        stdnum="pt.cc",
        signs=tuple(f"00000000{a}0{b}A{c}0" for a in ("", " ") for b in ("", " ") for c in "0A")),
    Rule("fr_nir", DIGITS % r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d", min_digits=8,
        signs=("0 00 00 00 000 000 00", "0 00 00 0a", "0 00 00 0b"), stdnum="fr.nir"),
    Rule("it_codicefiscale", NUMBER % r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", min_digits=3,
        signs=("AAAAAA00A00A000A",), stdnum="it.codicefiscale"),
    Rule("be_nn", DIGITS % r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", min_digits=11,
        signs=("00.00.00-000.00",), stdnum="be.nn"),
    Rule("birth_date", _DATE, label_families=("birth_date",), needs_own_label=True, min_digits=4),
)  # fmt: skip
