from rules.openapi.operation import METHODS, Operation


def test_an_operation_without_a_word_is_empty():
    one, other = Operation("GET", "/x"), Operation("GET", "/y")
    one.parameters.append("p")
    one.warnings.append("w")
    assert (other.parameters, other.warnings, other.answers, other.body, other.id) == ([], [], {}, None, "")


def test_the_methods_are_those_of_openapi():
    assert set(METHODS) == {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
