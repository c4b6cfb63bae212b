"""Calls the OpenAI SDK of whatever environment runs this file, as told on standard input.

One JSON object for each line: ``{"call": "messages.create", "arguments": {…}, "positional": […]}``, where the
call is a path below ``client.beta.threads``. Each is answered by one line: ``{"returned": …}`` or
``{"raised": {…}}``. The addresses and options of the client are the first line, as arguments of ``OpenAI``.
"""

import json
import sys
from functools import reduce
from typing import Any

import openai


def told(error: openai.APIStatusError) -> dict[str, Any]:
    """Give what an application sees of an error."""
    return {
        "type": type(error).__name__,
        "bad_request": isinstance(error, openai.BadRequestError),
        "status": error.status_code,
        "code": error.code,
        "param": error.param,
        "message": error.message,
        "body": error.body,
        "request_id": getattr(error, "request_id", None),
        "headers": {name.lower(): value for name, value in error.response.headers.items()},
    }


def plain(value: Any) -> Any:
    """Give a returned model as JSON values; a page as the list of its items."""
    if hasattr(value, "data") and isinstance(value.data, list):
        return [item.model_dump(mode="json") for item in value.data]
    return value.model_dump(mode="json")


def main() -> None:
    """Answer calls until standard input ends."""
    client = openai.OpenAI(**json.loads(sys.stdin.readline()))
    sys.stdout.write(json.dumps({"returned": openai.__version__}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        wanted = json.loads(line)
        call = reduce(getattr, wanted["call"].split("."), client.beta.threads)
        try:
            answer = {"returned": plain(call(*wanted["positional"], **wanted["arguments"]))}
        except openai.APIStatusError as error:
            answer = {"raised": told(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
