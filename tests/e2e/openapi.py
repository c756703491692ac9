"""Reads docs/openapi.yaml and says what of it a request or a reply breaks."""

import copy
import functools
import pathlib

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: the loader would take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"twice in one mapping: {twice}\n{node.start_mark}")
        return super().construct_mapping(node, deep)


@functools.cache
def load():
    return yaml.load(DOCUMENT.read_text(), _Loader)


def resolve(node):
    """What a `$ref` leads to, or the node itself."""
    while isinstance(node, dict) and "$ref" in node:
        target = load()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _validator(schema):
    return jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver("", load()))


def breaks(schema, value):
    """What is wrong with the value, as lines; empty when it fits."""
    found = []
    for error in _validator(schema).iter_errors(value):
        best = jsonschema.exceptions.best_match([error])
        found.append(f"{'/'.join(map(str, error.absolute_path)) or 'the whole'}: {best.message}")
    return found


def parts_of(schema):
    """The schemas that speak of the same value."""
    schema = resolve(schema)
    found = [schema]
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            found += parts_of(part)
    return found


def undocumented(schemas, value, path=""):
    """Fields of a value that no schema names. Readers must bear them; here they show that the document is behind."""
    parts = [part for schema in schemas for part in parts_of(schema)]
    found = []
    if isinstance(value, dict):
        if any(part.get("additionalProperties") for part in parts):
            return []
        for name, inner in value.items():
            known = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            found += undocumented(known, inner, f"{path}/{name}") if known else [f"{path}/{name}: not in the document"]
    elif isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for number, inner in enumerate(value):
            found += undocumented(items, inner, f"{path}/{number}")
    return found


def misordered(schema, value, path=""):
    """Objects whose fields do not come in the order of the schema's properties."""
    schema = resolve(schema)
    found = []
    if isinstance(value, dict):
        order = list(schema.get("properties", {}))
        if list(value) != [name for name in order if name in value]:
            found.append(f"{path or 'the whole'}: fields are in the order {list(value)}, not {order}")
        for name, inner in value.items():
            found += misordered(schema.get("properties", {}).get(name, {}), inner, f"{path}/{name}")
    elif isinstance(value, list):
        for inner in value:
            found += misordered(schema.get("items", {}), inner, path)
    return found


class Operation:
    """One operation: of a path, or, with path None, of a webhook."""

    def __init__(self, path, item, method, node):
        self.path = path
        self.item = item
        self.method = method.upper()
        self.node = node
        self.id = node.get("operationId")
        self.caller = node.get("x-highwater-caller", "administrator")
        self.setup = node.get("x-highwater-setup", [])

    @property
    def media(self):
        return resolve(self.node.get("requestBody", {})).get("content", {}).get("application/json", {})

    @property
    def examples(self):
        """By name, in their order."""
        return {name: resolve(example)["value"] for name, example in self.media.get("examples", {}).items()}

    @property
    def reply_schema(self):
        return resolve(self.node["responses"]["200"])["content"]["application/json"]["schema"]

    @property
    def common_refusals(self):
        lists = load()["x-highwater-common-errors"]
        return [entry for name in self.node.get("x-highwater-checks", []) for entry in lists[name]]

    @property
    def refusals(self):
        return self.common_refusals + self.node.get("x-highwater-errors", [])

    @property
    def parameters(self):
        return [resolve(parameter) for parameter in self.item.get("parameters", []) + self.node.get("parameters", [])]

    def scheme(self):
        """The name of what proves who calls, or None."""
        return next((name for need in self.node["security"] for name in need), None)


def _collect(section):
    found = []
    for path, item in load()[section].items():
        found += [Operation(path, item, method, item[method]) for method in METHODS if method in item]
    return found


@functools.cache
def operations():
    return _collect("paths")


@functools.cache
def webhooks():
    return _collect("webhooks")


@functools.cache
def by_id():
    return {operation.id: operation for operation in operations()}


def filled(entry):
    """The body of a refusal, with its FILL filled."""

    def fill(node):
        if isinstance(node, dict):
            return {name: fill(value) for name, value in node.items()}
        if isinstance(node, list):
            return [fill(value) for value in node]
        return "x" * entry["fill"] if node == "FILL" else node

    return fill(copy.deepcopy(entry["body"])) if "fill" in entry else entry["body"]
