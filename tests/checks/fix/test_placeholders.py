"""One value has one number, whatever way it is written; a number that is there is never reused."""

import pytest

from tunegate_checks.fix.redact import Redactor

SAME = [
    ("cpf", "529.982.247-25", "52998224725"),
    ("email", "Ana@Correio.com.br", "ana [at] correio ponto com ponto br"),
    ("phone", "+55 (11) 98765-4321", "11 987654321"),
    ("phone", "(415) 555-2671", "001 415 555 2671"),
    ("birth_date", "14/09/1987", "September 14, 1987"),
    ("card", "4111 1111 1111 1111", "4111-1111-1111-1111"),
]
OTHERS = [
    ("cpf", "529.982.247-25", "111.444.777-35"),
    ("password", "Abc123!", "abc123!"),
    ("openai_key", "sk-A", "sk-a"),
    ("email", "a.b@c.com", "ab@c.com"),
    ("ip", "10.20.30.40", "102.0.30.40"),
]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_writings_of_one_value_share_a_placeholder(kind: str, one: str, other: str) -> None:
    given = Redactor()
    assert given.placeholder(kind, one) == given.placeholder(kind, other) == f"[{kind.upper()}_1]"


@pytest.mark.parametrize(("kind", "one", "other"), OTHERS)
def test_other_values_do_not(kind: str, one: str, other: str) -> None:
    given = Redactor()
    assert (given.placeholder(kind, one), given.placeholder(kind, other)) == (
        f"[{kind.upper()}_1]",
        f"[{kind.upper()}_2]",
    )


def test_kinds_are_counted_apart_and_behind_what_is_there() -> None:
    given = Redactor(["see [EMAIL_7] and [EMAIL_3]", "[CPF_x] [cpf_9]"])
    assert [given.placeholder("email", "a@b.co"), given.placeholder("cpf", "1")] == [
        "[EMAIL_8]",
        "[CPF_1]",
    ]
