"""The description as one HTML page without anything from elsewhere, with a form to try each operation."""

import json
from html import escape
from string import Template
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

_SCRIPT: Final = """
for (const form of document.forms) form.addEventListener("submit", async event => {
  event.preventDefault();
  let path = form.dataset.path;
  const headers = {}, key = document.getElementById("key").value, output = form.querySelector("output");
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) headers[input.name] = input.value;
  }
  if (key && form.dataset.key) headers["Authorization"] = `Bearer ${key}`;
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const began = performance.now();
  try {
    const answer = await fetch(path, {method: form.dataset.method, headers, body});
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch {}
    output.textContent = `${answer.status} in ${Math.round(performance.now() - began)} ms\\n${shown}`;
  } catch (error) { output.textContent = String(error); }
});
"""
_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: auto; padding: 1rem; color: #1b1b1b; }
section { border-top: 1px solid #767676; padding: .5rem 0; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
pre, output { display: block; white-space: pre-wrap; background: #f2f2f2; padding: .5rem; overflow-wrap: anywhere; }
textarea, input { font: 14px monospace; width: 100%; box-sizing: border-box; }
button { font-size: 1rem; padding: .3rem 1rem; margin: .5rem 0; }
</style></head><body><main><h1>$title</h1><p>$about The same as <a href="openapi.json">OpenAPI 3.1</a>.</p>
<label for="key">API key, for the forms below</label><input id="key" type="password" autocomplete="off">
$operations</main><script>$script</script></body></html>
""")


def page(document: Json) -> str:
    """The page of an OpenAPI document."""
    parts = [
        _operation(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    return _PAGE.substitute(
        title=escape(info["title"]), about=escape(info["description"]), operations="".join(parts), script=_SCRIPT
    )


def samples(path: str, method: str, operation: Json) -> dict[str, str]:
    """The operation as a call by curl and in Python."""
    sent = ["Authorization: Bearer $KEY"] if "security" in operation else []
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    curl = [f'curl -sS -X {method.upper()} "$GATEWAY{path}"', *(f'-H "{header}"' for header in sent)]
    python = [f'"{method.upper()}"', f'GATEWAY + "{path}"']
    if sent:
        python.append('headers={"Authorization": f"Bearer {KEY}"}')
    if body is not None:
        text = json.dumps(body, indent=2)
        curl += ['-H "Content-Type: application/json"', f"-d '{text}'"]
        python.append(f"json={body!r}")
    return {
        "curl": " \\\n  ".join(curl),
        "python": "import httpx\n\nanswer = httpx.request(\n    "
        + ",\n    ".join(python)
        + ",\n)\nprint(answer.json())",
    }


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    name = operation["operationId"]
    described = escape(operation.get("description", ""))
    shown = "".join(
        f"<h3>{title}</h3><pre>{escape(text)}</pre>" for title, text in samples(path, method, operation).items()
    )
    answers = "".join(
        f"<tr><th scope=row>{status}</th><td>{escape(_described(document, answer))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<section id="{name}"><h2>{escape(operation["summary"])}</h2>'
        f"<p><code>{method.upper()} {escape(path)}</code></p><p>{described}</p>"
        f"{_fields(document, operation)}<h3>answers</h3><table>{answers}</table>{shown}"
        f"{_form(path, method, operation)}</section>"
    )


def _described(document: Json, answer: Json) -> str:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return str(answer["description"])


def _fields(document: Json, operation: Json) -> str:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = schema.get("oneOf", [schema])[0]
    if "$ref" not in schema:
        return ""
    model = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code></th><td>{'required' if name in model['required'] else ''}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in model["properties"].items()
    )
    return f"<details><summary>fields of the body</summary><table>{rows}</table></details>"


def _form(path: str, method: str, operation: Json) -> str:
    name = operation["operationId"]
    inputs = "".join(
        f'<label for="{name}-{p["name"]}">{escape(p["name"])}: {escape(p.get("description", ""))}</label>'
        f'<input id="{name}-{p["name"]}" name="{p["name"]}" data-in="{p["in"]}">'
        for p in operation.get("parameters", [])
    )
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"].get("example", {})
        text = escape(json.dumps(example, indent=2))
        inputs += f'<label for="{name}-body">body</label><textarea id="{name}-body" rows="12">{text}</textarea>'
    key = ' data-key="1"' if "security" in operation else ""
    return (
        f'<form data-path="{escape(path)}" data-method="{method.upper()}"{key}><h3>try it</h3>{inputs}'
        f'<button>send</button><output aria-live="polite"></output></form>'
    )
