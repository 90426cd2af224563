"""Headers of tables and headings of lists name what stands below them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate_checks.detect import engine
from tunegate_checks.detect.context import parts_of
from tunegate_checks.detect.engine import personal_spans

CPF, PHONE = "52998224725", "11987654321"


def kinds(text: str) -> list[str]:
    return [span.kind for span in personal_spans(text)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " | "])
def test_each_row_of_a_table_has_its_header(delimiter: str) -> None:
    header = delimiter.join(["id", "cpf", "data de nascimento", "telefone"])
    rows = [delimiter.join([f"{i:07}", CPF, f"14/09/19{50 + i}", PHONE]) for i in range(30)]
    assert kinds("\n".join([header, *rows])) == ["cpf", "birth_date", "phone"] * 30
    assert kinds("\n".join([header.replace("cpf", "pedido"), rows[0]])) == ["birth_date", "phone"]


def test_a_table_of_markdown_and_quoted_cells() -> None:
    assert kinds(f"| Nome | CPF |\n|------|:---:|\n| X1 | {CPF} |") == ["cpf"]
    assert kinds(f'nome,telefone\n"Souza, Ana",{PHONE}\n"Lima ""Bia""","{PHONE}"') == [
        "name", "phone", "name", "phone"
    ]  # fmt: skip


@pytest.mark.parametrize("top", ["CPFs:", "## CPF", "**CPF dos clientes**:", "CPF:\n"])
@pytest.mark.parametrize("bullet", ["- ", "* ", "1. ", "12) ", "", "  • "])
def test_each_item_of_a_list_has_its_heading(top: str, bullet: str) -> None:
    text = f"{top}\n{bullet}{CPF}\n{bullet}{CPF}"
    assert kinds(text) == ["cpf", "cpf"]
    assert kinds(text.replace("CPF", "Pedido", 1)) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"product":"tv","buyer":"415-555-2671"}', ["phone"]),
        ('{"order": "415-555-2671"}', []),
        ('{"cpf": null, "x": "52998224725"}', []),
        ("CPF abaixo, produto: tv, 52998224725", ["cpf"]),
        ('{"type": "cpf", "value": "52998224725"}', ["cpf"]),
        ('{"cpfDoCliente": 52998224725}', ["cpf"]),
        ("Order shipped! 415-555-2671", ["phone"]),
        ("produto: tv, 415-555-2671", ["phone"]),
        ("phone_number=4155552671&order=4155552672", ["phone"]),
        ("iPhone 4155552671", []),
        ("Nasceu em 12/03/1980. Compareceu em 14/05/2020 sem queixas.", ["birth_date"]),
    ],
)
def test_a_label_belongs_to_its_key_and_its_sentence(text: str, wanted: list[str]) -> None:
    assert kinds(text) == wanted


@given(st.text('ab1,;|\t\n:#-* "', max_size=60))
def test_parts_lie_in_the_text_in_order(text: str) -> None:
    position = 0
    for part in parts_of(text):
        assert position <= part.start < part.end <= len(text)
        assert "\n" not in text[part.start : part.end]
        position = part.end


DELIMITERS = [",", ";", "\t", "|", " | "]


def table(delimiter: str, *rows: tuple[str, ...]) -> str:
    if delimiter != "markdown":
        return "\n".join(delimiter.join(row) for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


@pytest.mark.parametrize("delimiter", [*DELIMITERS, "markdown"])
@pytest.mark.parametrize(
    "header",
    [("Name", "Value"), ("Campo", "Valor"), ("Cliente", "Dados"), ("Nome", "Ana Souza"),
     ("Customer", "Details"), ("Dado do cliente", "Detalhe")],
)  # fmt: skip
def test_the_first_cell_of_a_line_names_its_value(delimiter: str, header: tuple[str, str]) -> None:
    text = table(
        delimiter, header, ("CPF", "16899535009"), ("Phone", "(11) 98765-4321"), ("Senha", "x"),
        ("RG", "12.345.678-9"), ("Nascimento", "14/09/1987"), ("Cartão", "5555555555554444"),
        ("Pedido", "0000123"),
    )  # fmt: skip
    found = [s for s in personal_spans(text) if s.start > text.index("\n")]
    assert [s.kind for s in found] == ["cpf", "phone", "rg", "birth_date", "card"]


@pytest.mark.parametrize("delimiter", [*DELIMITERS, "markdown"])
def test_tables_of_keys_and_values_with_numbers_and_names(delimiter: str) -> None:
    rows = [("Linha", "Campo", "Valor"), ("1", "CPF", CPF), ("2", "Nome", "Ana Souza"),
            ("3", "Pedido", "415-555-2671")]  # fmt: skip
    assert kinds(table(delimiter, *rows)) == ["cpf", "name"]
    across = table(delimiter, ("Nome", "CPF", "Pedido"), ("Ana Souza", CPF, "415-555-2671"))
    assert kinds(across) == ["name", "cpf"]


@pytest.mark.parametrize("delimiter", [*DELIMITERS, "markdown"])
@pytest.mark.parametrize("header", ["senha", "Password", "db_password", "senhaAtual", "Contraseña"])
def test_a_password_stands_alone_in_its_cell(delimiter: str, header: str) -> None:
    rows = [("ana", "Xk29fkA8"), ("bia", "Gato2024"), ("eva", "password"), ("rui", "****")]
    assert kinds(table(delimiter, ("usuario", header), *rows)) == ["password"] * 2
    assert kinds(table(delimiter, ("usuario", "modelo"), *rows)) == []


@pytest.mark.parametrize("delimiter", [*DELIMITERS, "markdown"])
def test_what_a_line_is_called_goes_before_a_header_for_people(delimiter: str) -> None:
    keys = [("CPF", CPF), ("Senha", "Xk29fkA8"), ("RG", "12.345.678-9"), ("Celular", PHONE)]
    wanted = ["cpf", "password", "rg", "phone"]
    assert kinds(table(delimiter, ("Nome", "Telefone"), *keys)) == wanted
    people = [("Ana Souza", PHONE), ("Pedido", PHONE), ("Bia do Pix", PHONE)]
    found = kinds(table(delimiter, ("Nome", "Telefone"), *people))
    assert found.count("phone") == 3
    assert kinds(table(delimiter, ("Assunto", "Telefone"), ("CPF", PHONE))) == ["phone"]


def test_prose_with_commas_is_searched_as_prose() -> None:
    assert kinds("Prezado cliente, bom dia\nO CPF do titular, 16899535009") == ["cpf"]
    assert kinds("Caro cliente, sobre o pedido\nO CPF do titular, 16899535009") == ["cpf"]


WORDS = ["Nome", "Dados", "CPF", "Telefone", "Ana", "Saldo", "Rua", "RG", "Obs"]
VALUES = [CPF, PHONE, "(11) 98765-4321", "12.345.678-9", "14/09/1987", "ana@loja.com.br", "7", "x"]


@settings(max_examples=60)
@given(st.sampled_from(DELIMITERS), st.integers(2, 3), st.data())
def test_a_table_hides_nothing_but_under_a_header_of_another_meaning(
    delimiter: str, width: int, data: st.DataObject
) -> None:
    top = data.draw(st.tuples(*[st.sampled_from(WORDS)] * width))
    cells = st.sampled_from(WORDS + VALUES)
    rows = data.draw(st.lists(st.tuples(*[cells] * width), min_size=1, max_size=4))
    text = table(delimiter, top, *rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "parts_of", lambda _: [])
        without = personal_spans(text)
    found = personal_spans(text)
    assert all(any(span.overlaps(other) for other in found) for span in without)
