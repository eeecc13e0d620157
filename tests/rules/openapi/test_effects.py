import pytest

from rules.openapi.effects import guess


@pytest.mark.parametrize(
    ("call", "name", "effect"),
    [
        ("GET /pets", "listPets", "read"),
        ("HEAD /pets", "hasPets", "read"),
        ("GET /transfers", "getTransfers", "read"),
        ("GET /orders/deleted", "listDeletedOrders", "read"),
        ("GET /users/{id}/delete", "get_users_id_delete", "irreversible"),
        ("GET /users", "delete_user", "irreversible"),
        ("GET /jobs/{id}", "runJob", "write"),
        ("GET /jobs/update", "x", "write"),
        ("POST /pets", "addPet", "write"),
        ("POST /pets/search", "searchPets", "read"),
        ("POST /", "DescribeTable", "read"),
        ("POST /", "BatchGetItem", "read"),
        ("POST /graphql", "query", "irreversible"),
        ("GET /graphql", "query", "read"),
        ("POST /batch", "batch", "irreversible"),
        ("POST /api/v1.0/$batch", "getMany", "irreversible"),
        ("POST /orders/batch", "addOrders", "write"),
        ("POST /admin/batch", "batch", "admin"),
        ("POST /users", "getOrCreateUser", "write"),
        ("POST /search", "createSearch", "write"),
        ("POST /lists", "lists", "write"),
        ("POST /", "DeleteTable", "irreversible"),
        ("POST /payouts", "createPayout", "irreversible"),
        ("POST /messages", "sendMessage", "irreversible"),
        ("POST /orders/{id}/cancel", "x", "irreversible"),
        ("PUT /pets/{id}", "replacePet", "write"),
        ("PATCH /pets/{id}", "patchPet", "write"),
        ("DELETE /pets/{id}", "x", "irreversible"),
        ("GET /roles", "listRoles", "read"),
        ("PUT /users/{id}/roles", "setRoles", "admin"),
        ("POST /api-keys", "createApiKey", "admin"),
        ("POST /secrets", "x", "admin"),
        ("GET /admin/users", "listUsers", "admin"),
        ("POST /admin.users.invite", "admin_users_invite", "admin"),
        ("DELETE /admin/x", "x", "admin"),
        ("GET /items/{admin}", "getItem", "read"),
    ],
)
def test_the_graver_guess_counts(call, name, effect):
    assert guess(*call.split(" "), name) == effect


def test_tags_can_say_that_it_is_administration():
    assert guess("GET", "/x", "getX", ["User Administration"]) == "admin"
    assert guess("GET", "/x", "getX", ["users"]) == "read"
