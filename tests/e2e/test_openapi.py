"""docs/openapi.yaml by itself, and beside the sources: nothing is started here."""

import re

import jsonschema
import pytest

import openapi

ENTRY_KEYS = {
    "summary", "body", "code", "fill", "query", "raw_query", "usersig", "token", "caller", "method", "setup", "fresh",
    "settings", "times", "valid",
}  # fmt: skip
# Codes for a body of the wrong shape: their bodies must break the request's schema. All others must fit it.
SHAPE_CODES = {40601, 70402, 100002, 100015, 100501, 100504}
# Any operation may answer these, so they need not stand in its description.
GENERAL_CODES = {60003, 60007, 60011, 70016}


def nodes(node, path="#"):
    yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from nodes(child, f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}")


def schemas():
    document = openapi.load()
    for name, schema in document["components"]["schemas"].items():
        yield f"schemas/{name}", schema
    for path, node in nodes(document):
        if isinstance(node, dict) and isinstance(node.get("schema"), dict):
            yield path, node["schema"]


def source_codes():
    text = (openapi.ROOT / "include" / "highwater" / "code.h").read_text()
    return {int(number): words for number, words in re.findall(r'X\(HW_\w+,\s*(\d+),\s*"([^"]*)"\)', text)}


def source_routes():
    found = set()
    for file in (openapi.ROOT / "src" / "api").glob("*.c"):
        for table in re.findall(r"api_routes\[\w*\] = \{(.*?)\n\};", file.read_text(), re.S):
            found |= set(re.findall(r'"(/[^"]*)"', table))
    return found


def every_operation():
    return openapi.operations() + openapi.webhooks()


def test_document_is_openapi_3_1():
    document = openapi.load()
    assert document["openapi"] == "3.1.0"
    assert {"openapi", "info", "paths", "webhooks", "components"} <= set(document)
    assert all(document["info"].get(name) for name in ("title", "version", "description", "license"))
    built = re.search(r"project\(highwater VERSION ([\d.]+)", (openapi.ROOT / "CMakeLists.txt").read_text())
    assert document["info"]["version"] == built[1]


def test_every_reference_leads_somewhere():
    for path, node in nodes(openapi.load()):
        if isinstance(node, dict) and "$ref" in node:
            assert set(node) == {"$ref"}, f"{path}: a $ref beside other keys is read differently by different tools"
            try:
                openapi.resolve(node)
            except (KeyError, TypeError):
                pytest.fail(f"{path}: {node['$ref']} leads nowhere")


def test_every_component_is_used():
    used = {node["$ref"] for _, node in nodes(openapi.load()) if isinstance(node, dict) and "$ref" in node}
    components = openapi.load()["components"]
    names = {f"#/components/{kind}/{name}" for kind, parts in components.items() for name in parts}
    unused = {name for name in names - used if not name.startswith("#/components/securitySchemes/")}
    assert unused == set()
    schemes = {name for operation in every_operation() for need in operation.node["security"] for name in need}
    assert schemes == set(components["securitySchemes"])


def test_every_schema_is_a_schema():
    for path, schema in schemas():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            pytest.fail(f"{path}: {error.message}")


def test_required_fields_are_named():
    for path, node in nodes(openapi.load()["components"]["schemas"], "schemas"):
        if isinstance(node, dict) and "properties" in node and isinstance(node.get("required"), list):
            assert set(node["required"]) <= set(node["properties"]), path


def test_request_objects_take_unknown_fields():
    def check(path, schema):
        for part in openapi.parts_of(schema):
            if "properties" in part:
                assert part.get("additionalProperties") is True, f"{path}: unknown fields are ignored in requests"
                for name, inner in part["properties"].items():
                    check(f"{path}/{name}", inner)
            if "items" in part:
                check(f"{path}/items", part["items"])

    for operation in openapi.operations():
        if operation.media:
            check(operation.id, operation.media["schema"])


def test_operations_are_complete():
    tags = {tag["name"] for tag in openapi.load()["tags"]}
    ids = [operation.id for operation in every_operation()]
    assert len(ids) == len(set(ids))
    for operation in every_operation():
        node = operation.node
        assert node["operationId"] and node["summary"] and node["responses"], operation.id
        assert "security" in node, operation.id
        assert node["tags"] and set(node["tags"]) <= tags, operation.id
    for operation in openapi.operations():
        assert operation.node["description"], operation.id
        assert operation.method == "GET" or operation.examples, operation.id
    assert {tag for operation in every_operation() for tag in operation.node["tags"]} == tags


def test_examples_fit_their_schemas():
    for operation in openapi.operations():
        for name, value in operation.examples.items():
            assert openapi.breaks(operation.media["schema"], value) == [], (operation.id, name)
    for path, node in nodes(openapi.load()):
        if isinstance(node, dict) and "schema" in node and "example" in node:
            assert openapi.breaks(node["schema"], node["example"]) == [], path


def test_setups_name_operations_and_examples():
    for operation in every_operation():
        entries = operation.refusals if operation in openapi.operations() else []
        steps = operation.setup + [step for entry in entries for step in entry.get("setup", [])]
        for step in steps + operation.node.get("x-highwater-provoke", []):
            name, _, example = step.partition("#")
            assert name in openapi.by_id(), (operation.id, step)
            assert not example or example in openapi.by_id()[name].examples, (operation.id, step)


def test_refusals_say_what_they_must():
    codes = set(openapi.load()["components"]["schemas"]["FailureCode"]["enum"])
    for operation in openapi.operations():
        for entry in operation.refusals:
            where = (operation.id, entry["summary"])
            assert set(entry) <= ENTRY_KEYS, where
            assert entry["code"] in codes, where
            if not isinstance(entry.get("body"), dict):
                continue
            wrong = openapi.breaks(operation.media["schema"], openapi.filled(entry))
            if entry["code"] in SHAPE_CODES and not entry.get("valid"):
                assert wrong, f"{where}: the schema allows what the program refuses"
            else:
                assert not wrong, (where, wrong)


def test_descriptions_name_the_codes_of_the_refusals():
    for operation in openapi.operations():
        said = {int(code) for code in re.findall(r"\b([4671]0\d{3,4})\b", operation.node["description"])}
        own = {entry["code"] for entry in operation.node.get("x-highwater-errors", [])}
        listed = {
            entry["code"]
            for name in operation.node.get("x-highwater-checks", [])
            if name not in ("user", "admin", "manage", "stream", "sign_in")
            for entry in openapi.load()["x-highwater-common-errors"][name]
        }
        every = {entry["code"] for entry in operation.refusals}
        assert said - GENERAL_CODES <= every, f"{operation.id}: no request gives {said - every}"
        assert (own | listed) - GENERAL_CODES <= said, f"{operation.id}: does not speak of {(own | listed) - said}"


def test_codes_are_those_of_the_header():
    schema = openapi.load()["components"]["schemas"]["FailureCode"]
    codes = {number: words for number, words in source_codes().items() if number}
    assert schema["enum"] == sorted(codes)
    assert {int(number): words for number, words in schema["x-enumDescriptions"].items()} == codes


def test_paths_are_those_of_the_routes():
    known = {operation.path for operation in openapi.operations() if "x-highwater-unsupported" not in operation.node}
    routes = source_routes()
    assert routes, "no api_routes found"
    assert routes - known == set(), "routes that the document does not have"
    assert known - routes == set(), "paths that the program does not have"


def test_callback_words_are_those_of_the_header():
    text = (openapi.ROOT / "include" / "highwater" / "callback.h").read_text()
    words = re.findall(r'X\(HW_CALLBACK_\w+,\s*"([^"]+)"\)', text)
    assert openapi.load()["components"]["schemas"]["CallbackWord"]["enum"] == words
    assert {operation.id for operation in openapi.webhooks()} <= set(words)


def test_packets_are_closed_and_whole():
    def check(path, schema):
        schema = openapi.resolve(schema)
        if "properties" in schema:
            assert schema["required"] == list(schema["properties"]), path
            for name, inner in schema["properties"].items():
                check(f"{path}/{name}", inner)

    for operation in openapi.webhooks():
        schema = openapi.resolve(operation.media["schema"])
        assert schema["additionalProperties"] is False, operation.id
        assert schema["properties"]["CallbackCommand"]["const"] == operation.id
        check(operation.id, schema)
