// What JSON.parse makes of texts: a line of base64 in, a line of tests/core/json_readers.py's form out, or "!".
"use strict";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const bits = new DataView(new ArrayBuffer(8));

function number(value) {
  bits.setFloat64(0, value === 0 ? 0 : value);
  return "#" + bits.getBigUint64(0).toString(16).padStart(16, "0");
}

function string(value) {
  return '"' + Buffer.from(value, "utf16le").swap16().toString("hex") + '"';
}

function form(value) {
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return string(value);
  if (Array.isArray(value)) return "[" + value.map(form).join("") + "]";
  if (value === null || typeof value === "boolean") return String(value);
  const members = Object.entries(value).map(([key, item]) => string(key) + form(item));
  return "{" + members.sort().join("") + "}";
}

function read(line) {
  try {
    return form(JSON.parse(utf8.decode(Buffer.from(line, "base64"))));
  } catch {
    return "!";
  }
}

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => process.stdout.write(read(line) + "\n"));
