"""JSON texts by name, and what becomes of each: the value that it has, or the code that refuses it.

In the manner of JSONTestSuite, but with one answer for each: where parsers may differ (its ``i_`` cases),
the answer is a refusal, or, where they all agree, the value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.core.types import Json

MAX_DEPTH: Final = 32
"""With what depth the cases are meant."""

ACCEPTED: Final[dict[str, tuple[bytes, Json]]] = {
    # Arrays and objects
    "object, empty": (b"{}", {}),
    "array, empty": (b"[]", []),
    "array of arrays": (b"[[],[[]],[]]", [[], [[]], []]),
    "array of everything": (b'[null,1,"1",1.0,true,false,{}]', [None, 1, "1", 1.0, True, False, {}]),
    "array, spaced": (b" \t\r\n[ 1\t,\r2\n]\n ", [1, 2]),
    "object, spaced": (b'{ "a"\t:\r1\n, "b" :2 }', {"a": 1, "b": 2}),
    "objects with the same keys side by side": (b'{"a":{"k":1},"b":{"k":2}}', {"a": {"k": 1}, "b": {"k": 2}}),
    "object within itself by name": (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
    "as deep as allowed": (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    "key order kept": (b'{"b":1,"a":2,"10":3,"9":4}', {"b": 1, "a": 2, "10": 3, "9": 4}),
    # Keys
    "key, empty": (b'{"":0}', {"": 0}),
    "key __proto__": (b'{"__proto__":1}', {"__proto__": 1}),
    "key __proto__ with an object": (b'{"__proto__":{"admin":true}}', {"__proto__": {"admin": True}}),
    "key constructor": (b'{"constructor":{"prototype":1}}', {"constructor": {"prototype": 1}}),
    "keys of two cases": (b'{"role":1,"Role":2,"ROLE":3}', {"role": 1, "Role": 2, "ROLE": 3}),
    "key with NUL": (b'{"role":1,"role\\u0000":2}', {"role": 1, "role\0": 2}),
    "keys of two spaces": (b'{"a":1,"a ":2," a":3}', {"a": 1, "a ": 2, " a": 3}),
    "keys of two normal forms": (
        '{"é":1,"e\u0301":2}'.encode(),
        {"\xe9": 1, "e\u0301": 2},
    ),
    "keys that look like numbers": (b'{"1":1,"1.0":2,"01":3}', {"1": 1, "1.0": 2, "01": 3}),
    "keys beyond the basic plane, in two ways": (
        '{"😀":1,"\\ud83d\\ude01":2}'.encode(),
        {"😀": 1, "😁": 2},
    ),
    "keys that fold to one": ('{"K":1,"\u212a":2,"k":3}'.encode(), {"K": 1, "\u212a": 2, "k": 3}),
    # Literals
    "null": (b"null", None),
    "true": (b"true", True),
    "false": (b"false", False),
    "null, spaced": (b"\n null \r", None),
    # Integers
    "0": (b"0", 0),
    "-0": (b"-0", 0),
    "-1": (b"-1", -1),
    "2^53": (b"9007199254740992", 2**53),
    "2^53+1": (b"9007199254740993", 2**53 + 1),
    "2^63-1": (b"9223372036854775807", 2**63 - 1),
    "-2^63": (b"-9223372036854775808", -(2**63)),
    "10^18": (b"1000000000000000000", 10**18),
    # Other numbers
    "0.0": (b"0.0", 0.0),
    "-0.0": (b"-0.0", -0.0),
    "0e0": (b"0e0", 0.0),
    "-0e-0": (b"-0e-0", -0.0),
    "1.5": (b"1.5", 1.5),
    "1e5": (b"1e5", 1e5),
    "1E+5": (b"1E+5", 1e5),
    "1e-5": (b"1e-5", 1e-5),
    "1e05": (b"1e05", 1e5),
    "0.1": (b"0.1", 0.1),
    "2^63 as a decimal": (b"9223372036854775808.0", 2.0**63),
    "half of an odd number's step": (b"9007199254740993.0", 2.0**53),
    "largest double": (b"1.7976931348623157e308", 1.7976931348623157e308),
    "just below infinity": (b"1.7976931348623158079e308", 1.7976931348623157e308),
    "smallest double": (b"5e-324", 5e-324),
    "half of the smallest, and a bit": (b"2.4703282292062328e-324", 5e-324),
    "half of the smallest": (b"2.4703282292062327e-324", 0.0),
    "largest subnormal": (b"2.2250738585072011e-308", 2.225073858507201e-308),
    "too small to be more than 0": (b"1e-400", 0.0),
    "too small to be less than 0": (b"-1e-400", -0.0),
    "exponent of 797 digits below": (b"1e-" + b"9" * 797, 0.0),
    "0 with an exponent of 798 digits": (b"0e" + b"9" * 798, 0.0),
    "exponent of 798 digits that is 1": (b"1e" + b"0" * 797 + b"1", 10.0),
    "798 digits behind the point": (b"0." + b"3" * 798, 0.3333333333333333),
    "797 zeros behind the point": (b"0." + b"0" * 797 + b"1", 0.0),
    "794 zeros and an exponent that undoes them": (b"1" + b"0" * 794 + b"e-794", 1.0),
    "780 zeros and an exponent that undoes them": (b"0." + b"0" * 780 + b"1e781", 1.0),
    # Strings
    "string, empty": (b'""', ""),
    "all short escapes": (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    "\\u0000": (b'"\\u0000"', "\0"),
    "\\u001F": (b'"\\u001F\\u001f"', "\x1f\x1f"),
    "\\uABCD in both cases": (b'"\\uABCD\\uabcd"', "\uabcd\uabcd"),
    "\\u005c": (b'"\\u005cu0041"', "\\u0041"),
    "\\u0022": (b'"\\u0022,\\u0022"', '","'),
    "an escape's letters, not escaped": (b'"\\\\u0041"', "\\u0041"),
    "a surrogate's letters, not escaped": (b'"\\\\ud800"', "\\ud800"),
    "surrogate pair": (b'"\\ud83d\\ude00"', "😀"),
    "surrogate pair in capitals": (b'"\\uD83D\\uDE00"', "😀"),
    "first and last surrogate pair": (b'"\\ud800\\udc00\\udbff\\udfff"', "\U00010000\U0010ffff"),
    "pairs that touch": (b'"\\ud83d\\ude00\\ud83d\\ude01"', "😀😁"),
    "pair beside the character": ('"\\ud83d\\ude00😀"'.encode(), "😀😀"),
    "surrogate pair in a key": (b'{"\\ud83d\\ude00":1}', {"😀": 1}),
    "last before the surrogates, first behind": (b'"\\ud7ff\\ue000"', "\ud7ff\ue000"),
    "noncharacters": ('"\\uffff\uffff\ufdd0\U0010ffff"'.encode(), "\uffff\uffff\ufdd0\U0010ffff"),
    "DEL": (b'"\x7f"', "\x7f"),
    "C1 controls": ('"\x80\x85\x9f"'.encode(), "\x80\x85\x9f"),
    "line and paragraph separator": ('"\u2028\u2029"'.encode(), "\u2028\u2029"),
    "byte order mark within": ('"\ufeff\\ufeff"'.encode(), "\ufeff\ufeff"),
    "no-break space within": ('"\xa0"'.encode(), "\xa0"),
    "two, three and four bytes": ('{"é😀":"日本"}'.encode(), {"é😀": "日本"}),
    "first and last of each length": (
        '"\x80\u07ff\u0800\uffff\U00010000\U0010ffff"'.encode(),
        "\x80\u07ff\u0800\uffff\U00010000\U0010ffff",
    ),
    "bidirectional override": ('"\u202e"'.encode(), "\u202e"),
    "combining marks": ('"e\u0301"'.encode(), "e\u0301"),
    "brackets and quotes in strings": (b'["[[{{","\\"]]}","{\\\\"]', ["[[{{", '"]]}', "{\\"]),
    "more brackets in strings than levels": (b'["' + b"[" * 99 + b'"]', ["[" * 99]),
    "comment in a string": (b'"/*x*/ //y #z"', "/*x*/ //y #z"),
    "string of 100000 characters": (b'"' + b"x" * 100_000 + b'"', "x" * 100_000),
}

_UTF_16_AND_32: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_OTHER_WHITE: Final = {
    "vertical tab": "\x0b", "form feed": "\x0c", "NUL": "\0", "file separator": "\x1c", "next line": "\x85",
    "no-break space": "\xa0", "em space": "\u2003", "zero width space": "\u200b", "line separator": "\u2028",
    "paragraph separator": "\u2029", "ideographic space": "\u3000", "byte order mark": "\ufeff",
}  # fmt: skip
_OTHER_DIGITS: Final = {
    "Arabic": "\u0663",
    "Devanagari": "\u0969",
    "fullwidth": "\uff13",
    "mathematical": "\U0001d7db",
    "superscript": "\xb3",
}

INVALID: Final[dict[str, bytes]] = {
    # Nothing, and too little
    "empty": b"",
    "a space": b" ",
    "a line feed": b"\n",
    "all white space": b" \t\r\n" * 9,
    **{f"unfinished {text.decode()}": text for text in (
        b"{", b"[", b'"', b'"abc', b'"\\', b'"\\u00', b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b"[1",
        b"[1,", b"[[]", b'["', b'["a', b"tru", b"nul", b"fals", b"t", b"[nu]", b"[[[[[", b'[{"a":[{"b":',
    )},
    # Commas, colons, brackets
    **{f"punctuation {text.decode()}": text for text in (
        b"[1,]", b"[,]", b"[,1]", b"[1,,2]", b"[1,]]", b"[1;2]", b"[1 2]", b"[1:2]", b'{"a":1,}',
        b'{"a":1,,"b":2}', b"{,}", b'{,"a":1}', b'{"a" 1}', b'{"a",1}', b'{"a"::1}', b'{"a":1:2}',
        b'{"a":1 "b":2}', b'{"a":}', b"{:1}", b'{"a"}', b"[}", b"{]", b"]", b"}", b",", b":", b"[1}",
        b'{"a":1]', b"[1]]", b'{"a":1}}', b"(1)", b"<null>", b'{"a":(1)}',
    )},
    # Keys that are no strings
    **{f"key {text.decode()}": text for text in (
        b"{a:1}", b"{1:2}", b"{null:1}", b"{[]:1}", b"{{}:1}", b"{'a':1}", b"{`a`:1}", b'{"a"b:1}',
        b'{["a"]:1}',
    )},
    # More than one value
    **{f"trailing {text!r}": text for text in (
        b"{} {}", b"{}{}", b"{}\n{}", b"{}x", b"{},", b"{};", b"1 2", b"null,", b"[][]", b'"a""b"',
        b'"a" "b"', b"{}\x00", b"{}\x00\x00", b"\x00{}", b"{}\x1a", b"{}\x1e{}", b"\x1e{}", b"{}\\n",
        b")]}',\n{}", b"{}]", b"[]}", b"1\x00",
    )},
    # Comments
    **{f"comment {text!r}": text for text in (
        b"{}//c", b"{}/*c*/", b"/*c*/{}", b"//c\n{}", b"[1/**/]", b'{"a"/**/:1}', b"#\n1", b"1#", b"--1\n1",
        b"<!--x-->1", b"[1]/",
    )},
    # White space and digits of other scripts
    **{f"{name} before": (space + "{}").encode() for name, space in _OTHER_WHITE.items()},
    **{f"{name} behind": ("{}" + space).encode() for name, space in _OTHER_WHITE.items()},
    **{f"{name} between": ("[1," + space + "2]").encode() for name, space in _OTHER_WHITE.items()},
    **{f"{name} digit": digit.encode() for name, digit in _OTHER_DIGITS.items()},
    **{f"{name} digit behind another": f"[1{digit}]".encode() for name, digit in _OTHER_DIGITS.items()},
    **{f"{name} digit behind the point": f"[1.{digit}]".encode() for name, digit in _OTHER_DIGITS.items()},
    **{f"{name} digit in the exponent": f"[1e{digit}]".encode() for name, digit in _OTHER_DIGITS.items()},
    **{f"{name} digit in an escape": f'"\\u000{digit}"'.encode() for name, digit in _OTHER_DIGITS.items()},
    # Literals
    **{f"literal {text.decode()}": text for text in (
        b"NaN", b"[NaN]", b"-NaN", b"nan", b"Infinity", b"[Infinity]", b"-Infinity", b"[-Infinity]",
        b"+Infinity", b"inf", b"-inf", b'{"a":NaN}', b'{"a":-Infinity}', b"True", b"TRUE", b"None", b"Null",
        b"undefined", b"nulls", b"truefalse", b"yes",
    )},
    # Numbers
    **{f"number {text.decode()}": text for text in (
        b"-", b"[-]", b"01", b"-01", b"00", b"-00", b"00.5", b"1.", b"[1.]", b"1.e5", b"-1.", b".5", b"-.5",
        b".", b"+1", b"+0", b"++1", b"--1", b"- 1", b"1 .5", b"1. 5", b"1e", b"1e+", b"1e-", b"1E", b"[1e]",
        b"1e 5", b"1e1.5", b"1e+-5", b"e5", b"1ee5", b"0x10", b"0x", b"-0x1", b"0b1", b"0o7", b"1_000",
        b"1,000", b"1a", b"1f", b"1n", b"1L", b"1.2.3", b"1/2", b"1-1", b"0.e1", b"0e", b"-e5",
        b"Infinity1", b"1e1e1", b"[0123]", b'{"a":01}', b'{"a":+1}', b'{"a":.5}',
    )},
    "minus sign of typographers": "\u22121".encode(),
    "Arabic decimal separator": "1\u066b5".encode(),
    "number and NUL": b"[1\x00]",
    # Numbers that do not fit
    "2^63": b"9223372036854775808",
    "-2^63-1": b"-9223372036854775809",
    "2^64": b"18446744073709551616",
    "2^63 within": b'{"a":[{"b":9223372036854775808}]}',
    "10^19": b"10000000000000000000",
    "integer of 4301 digits": b"9" * 4301,
    "integer of 5000 digits": b"9" * 5000,
    "-integer of 5000 digits": b"-" + b"9" * 5000,
    "integer of 100000 digits": b"[" + b"1" * 100_000 + b"]",
    "1e400": b"1e400",
    "-1E400": b"-1E400",
    "1e309": b"[1e309]",
    "just infinity": b"1.7976931348623159e308",
    "double of 5000 digits": b"9" * 5000 + b".5",
    "double of 801 characters": b"0." + b"3" * 799,
    "5000 digits behind the point": b"0." + b"3" * 5000,
    "5000 zeros behind the point": b"0." + b"0" * 5000 + b"1",
    "5000 zeros and an exponent that undoes them": b"1" + b"0" * 5000 + b"e-5000",
    "0 with an exponent of 5000 digits": b"0e" + b"9" * 5000,
    "exponent of 5000 digits below": b"1e-" + b"9" * 5000,
    "exponent of 5000 digits": b"1e" + b"9" * 5000,
    "exponent of 5000 digits within": b'{"a":-1E+' + b"9" * 5000 + b"}",
    # Strings
    "single quotes": b"'a'",
    "single quotes for a value": b"{\"a\":'b'}",
    "typographic quotes": "\u201ca\u201d".encode(),
    "backquotes": b"`a`",
    "no quotes": b"abc",
    "quotes around half": b'["a',
    **{f"escape {text.decode()}": text for text in (
        b'"\\x41"', b'"\\\'"', b'"\\0"', b'"\\a"', b'"\\v"', b'"\\e"', b'"\\N"', b'"\\B"', b'"\\ "',
        b'"\\101"', b'"\\U00000041"', b'"\\u"', b'"\\u1"', b'"\\u12"', b'"\\u123"', b'"\\u12g4"',
        b'"\\u 123"', b'"\\u+123"', b'"\\u-123"', b'"\\u1_23"', b'"\\u0x12"', b'"\\u{41}"', b'"\\u123 "',
        b'"\\u.123"', b'"\\"', b'"\\\\\\"', b'\\u0022a"', b'["\\"]', b'{"\\x61":1}', b'{"\\u006":1}',
        b'"\\ud83d\\u"', b'"\\ud83d\\ude0"', b'"\\ud83d\\"', b"\\n", b'{\\"a":1}',
    )},
    "escaped line feed": b'"\\\n"',
    "escaped emoji": '"\\😀"'.encode(),
    "escaped NUL": b'"\\\x00"',
    **{f"raw {code:#04x} in a value": b'"a%cb"' % code for code in range(0x20)},
    **{f"raw {code:#04x} in a key": b'{"a%cb":1}' % code for code in (0, 9, 10, 13, 0x1F)},
    # Half of a surrogate pair
    **{f"surrogate {text.decode()}": text for text in (
        b'"\\ud800"', b'"\\uDBFF"', b'"\\udc00"', b'"\\uDfff"', b'"\\uD800x"', b'"x\\ud800"',
        b'"\\ud800\\u0041"', b'"\\ud800\\ud800"', b'"\\udc00\\ud800"', b'["\\udc00\\ud800"]',
        b'"\\udc00\\udc00"', b'"\\ud800\\ud800\\udc00"', b'"\\ud800\\udc00\\udc00"', b'"\\ud83d" ',
        b'["\\ud83d","\\ude00"]', b'"\\ud83d\\n\\ude00"', b'"\\ud83d\\\\ude00"', b'"\\ud83dude00"',
        b'{"\\ud800":1}', b'{"\\udc00\\ud800":1}', b'{"a":{"\\udfff":1}}', b'[{"a":["\\uDfff"]}]',
        b'{"a":"\\ud800","b":"\\udc00"}',
    )},
    "surrogate and the character": b'"\\ud83d\xf0\x9f\x98\x80"',
    # Not UTF-8
    **{f"bytes {text.hex(' ')}": b'"' + text + b'"' for text in (
        b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc0", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf", b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xe9", b"\xc3", b"\xe2\x82",
        b"\xf0\x9f\x98", b"\xc3\xc3\xa9", b"\xe2\x28\xa1", b"\x80\xc3", b"a\xffb", b"\xfc\xdf\xe9",
    )},
    "key that is not UTF-8": b'{"\xff":1}',
    "overlong quote": b"\xc0\xa2a\xc0\xa2",
    "overlong bracket": b"\xc1\x9b\xc1\x9d",
    "cut within a character": b'["a\xc3',
    "cut within four bytes": b'{"a":"\xf0\x9f\x98',
    "not UTF-8 before": b"\xff{}",
    "not UTF-8 behind": b"{}\xff",
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "UTF-8 byte order mark": b"\xef\xbb\xbf{}",
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "nothing but a byte order mark": b"\xef\xbb\xbf",
    "half of a byte order mark": b"\xef\xbb{}",
    **{f"{name} without a mark": '{"a":1}'.encode(name) for name in _UTF_16_AND_32},
    **{f"{name} with a mark": '\ufeff{"a":1}'.encode(name) for name in _UTF_16_AND_32},
    **{f"{name} of one digit": b"1".decode().encode(name) for name in _UTF_16_AND_32},
    "UTF-16, mark alone": b"\xff\xfe",
    "UTF-7": b"+AHs-+AH0-",
    "UTF-7 byte order mark": b"+/v8-{}",
    "UTF-EBCDIC": '{"a":1}'.encode("cp500"),
    "gzip": b"\x1f\x8b\x08\x00{}",
}  # fmt: skip

DUPLICATE: Final[dict[str, bytes]] = {
    "same value": b'{"a":1,"a":1}',
    "other value": b'{"a":1,"a":2}',
    "other between": b'{"a":1,"b":2,"a":3}',
    "first an object": b'{"a":{"b":1},"a":2}',
    "deep": b'[[{"x":{"k":1,"k":2}}]]',
    "deep in a value that is dropped": b'{"a":{"k":1,"k":2},"a":1}',
    "at the deepest level": b"[" * 31 + b'{"a":1,"a":2}' + b"]" * 31,
    "empty": b'{"":1,"":2}',
    "escape and letter": b'{"a":1,"\\u0061":2}',
    "two escapes": b'{"\\u0061":1,"\\u0061":2}',
    "two cases of escapes": b'{"\\u006A":1,"\\u006a":2}',
    "short escape and long": b'{"\\n":1,"\\u000a":2}',
    "escaped slash": b'{"a/b":1,"a\\/b":2}',
    "escaped quote": b'{"\\"":1,"\\u0022":2}',
    "colon and its escape": b'{"a:":1,"a\\u003a":2}',
    "colons, as many as are dropped": b'{"a":"\\u003a\\u003A","a":"::"}',
    "NUL": b'{"\\u0000":1,"\\u0000":2}',
    "two bytes and escape": '{"é":1,"\\u00e9":2}'.encode(),
    "four bytes and escapes": '{"\\ud83d\\ude00":1,"😀":2}'.encode(),
    "__proto__": b'{"__proto__":1,"__proto__":2}',
    "__proto__ escaped": b'{"__proto__":1,"__pr\\u006fto__":2}',
    "a thousand keys between": b'{"k":0,' + b",".join(b'"%d":0' % n for n in range(1000)) + b',"k":0}',
    "spaced": b'{ "a" : 1 ,\n "a" : 2 }',
}

TOO_DEEP: Final[dict[str, bytes]] = {
    "one more": b"[" * 33 + b"]" * 33,
    "one more, objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "one more, in turn": b'[{"a":' * 16 + b"[]" + b"}]" * 16,
    "one more behind siblings": b"[" + b"[]," * 99 + b"[" * 32 + b"]" * 33,
    "a million brackets": b"[" * 1_000_000,
    "a million brackets, closed": b"[" * 500_000 + b"]" * 500_000,
    "200000 objects": b'{"a":' * 200_000,
    "in turn": b'[{"a":' * 150_000,
    "behind a string of closing ones": b'["' + b"]" * 99 + b'",' + b"[" * 40 + b"]" * 41,
    "behind an escaped quote": b'["\\"' + b"]" * 99 + b'",' + b"[" * 40,
    "behind an escaped backslash": b'["\\\\",' + b"[" * 40,
    "behind what is not UTF-8": b'["\xff",' + b"[" * 40,
}

NOT_TOO_DEEP: Final[dict[str, bytes]] = {
    "a million brackets in a string without end": b'["' + b"[" * 1_000_000,
    "a million brackets behind a quote that opens": b'"' + b"[" * 1_000_000 + b'\\"',
    "quotes and brackets in turn": b'"["' * 100_000,
    "escaped quotes and brackets in turn": b'[[],[],"' + b'\\"[' * 100_000,
    "closing ones first": b"]" * 99 + b"[" * 99,
}
"""Brackets that do not nest, and that are invalid for another reason."""

REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    f"{code}: {name}": (body, code)
    for code, cases in (
        ("invalid_json", INVALID | NOT_TOO_DEEP),
        ("duplicate_key", DUPLICATE),
        ("json_too_deep", TOO_DEEP),
    )
    for name, body in cases.items()
}
