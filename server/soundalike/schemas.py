"""What a JSON schema takes, in words."""

from collections.abc import Mapping
from typing import Any

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "object": "a JSON object",
    "array": "a list",
}

Schema = Mapping[str, Any]


def taken(schema: Schema) -> str:
    """What the schema of one value admits, such as `a whole number from 0 to 5`."""
    if "anyOf" in schema:
        kinds = [taken(each) for each in schema["anyOf"] if each != {"type": "null"}]
        return " or ".join(kinds)
    if "enum" in schema:
        *others, last = map(repr, schema["enum"])
        return f"{', '.join(others)} or {last}"
    kind = "a path" if schema.get("format") == "path" else _TYPES[schema["type"]]
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if least is not None and most is not None:
        return f"{kind} from {least:g} to {most:g}"
    if least is not None:
        kind += f" of at least {least:g}"
    if "minItems" in schema and "prefixItems" not in schema:
        kind += f" of at least {schema['minItems']}"
    if above is not None:
        kind += f" above {above:g}"
    if below is not None:
        kind += f" and below {below:g}"
    return f"{kind} that matches {schema['pattern']}" if "pattern" in schema else kind
