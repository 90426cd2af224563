"""Headers of tables and headings of lists name what stands below them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.detect.engine import personal_spans
from tunegate_checks.detect.structure import parts_of

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
