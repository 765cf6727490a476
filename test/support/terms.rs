//! Terms and texts for properties and oracles.

use erlrc::term::{Atom, Term};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Always the same cases.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x6572_6C72_6300),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A term of any kind that has a text.
pub fn term() -> impl Strategy<Value = Term> {
    leaf().prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Term::List),
            vec(inner.clone(), 0..6).prop_map(Term::Tuple),
            (vec(inner.clone(), 0..4), inner.clone())
                .prop_map(|(elements, tail)| Term::list_with_tail(elements, tail)),
            vec((inner.clone(), inner), 0..5).prop_map(Term::map),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Term> {
    prop_oneof![
        3 => atom().prop_map(Term::Atom),
        2 => prop_oneof![any::<i64>(), -300..300i64].prop_map(Term::Integer),
        1 => vec(any::<u8>(), 1..40).prop_map(|b| Term::from(BigInt::from_signed_bytes_le(&b))),
        1 => prop_oneof![any::<f64>(), (-1e6..1e6), (-99..99i32).prop_map(|n| f64::from(n) / 8.0)]
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Term::Float),
        1 => vec(any::<u8>(), 0..20).prop_map(Term::Binary),
        1 => text().prop_map(|text| Term::binary(text.as_str())),
        1 => (vec(any::<u8>(), 1..5), 1..40usize)
            .prop_map(|(bytes, bits)| Term::bit_string(&bytes, bits)),
        2 => text().prop_map(|text| Term::string(&text)),
        1 => vec((-2..300i64).prop_map(Term::Integer), 0..9).prop_map(Term::List),
        1 => (atom(), atom(), any::<u8>()).prop_map(|(m, f, a)| Term::external_fun(m, f, a)),
    ]
}

fn atom() -> impl Strategy<Value = Atom> {
    let names = prop_oneof![
        4 => "[a-z][a-zA-Z0-9_@]{0,12}",
        2 => text(),
        1 => "[ß-ÿa-z][À-ÿ@a-z]{0,8}",
        1 => prop::sample::select(&["", "maybe", "else", "end", "fun", "A", "_", "a b", "1"][..])
            .prop_map(String::from),
        1 => "[a-zå]{200,255}",
    ];
    names.prop_filter_map("longer than an atom", |name| Atom::new(&name))
}

/// Text of characters that Erlang's source takes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        vec(any::<char>(), 0..8).prop_map(String::from_iter)
    ]
    .prop_map(|text| text.replace(['\u{FFFE}', '\u{FFFF}'], "?"))
}

/// Files of one term each, or of several, or of none: what there is to say in the language of terms.
pub const TEXTS: &[&str] = &[
    "{application, foo, [{description, \"A \\\"foo\\\"\"}, {vsn, \"1.0-rc1\"}, {modules, [a, 'B', c_d@e]},\n\
     {registered, []}, {applications, [kernel, stdlib]}, {mod, {foo, []}}, {env, [{k, 1.5}, {t, true}]}]}.\n",
    "%% coding: utf-8\n{\"1.1\",\n [{\"1\\\\.0.*\", [{update, m, {advanced, []}}, {load_module, n, [m]}]}], []}.",
    "%% -*- coding: latin-1 -*-\n{\"aé\"}.",
    "{release, {\"r\", \"1\"}, {erts, \"13.1\"}, [{kernel, \"8.5\"}]}. {a}. b.",
    "[1_000, 16#fF, 36#Zz, -1, +2, - 3, 1.0e10, 1.5E-3, 0.0, 2#1010, 9_9.9_9e0_1, 99999999999999999999].",
    "[$a, $\\n, $\\x{e5}, $\\^a, $\\101, $ , $\\s, $\\\\, $', $\", $%, -$a].",
    "[\"a\" \"b\" % c\n \"d\", \"\\x{1F600}\\x41\\7\\77\\777\\e\\d\\b\\f\\v\\t\\r\\n\\s\\q\\\n.\"].",
    "['a b', 'a\\'b', '\\x{e5}', '', 'a\\nb', å, ångström, a@b, 'end'].",
    "[<<>>, <<1,2,255>>, <<\"abc\">>, <<\"å\"/utf8, 3:4, 1:4>>, <<1:16/little-signed-integer-unit:1>>].",
    "<<1.5/float, 2:32/float, -1:12/little, \"ab\":16, (<<1,2,3>>):2/binary, <<5:3>>/bits, 16#FFFE/utf16>>.",
    "<<3/little-utf32, \"x\"/utf16-little, 1/native, 2:8/unit:2, <<1>>/bytes, 7:(3), 0:2>>.",
    "[#{}, #{a => 1, \"b\" => #{c => [d]}, 1 => 1.0, 1.0 => 2}, # {k=>v}].",
    "[[], [a|b], [a,b|[c]], [a|[]], \"ab\"|\"cd\"].",
    "[fun m:f/1, fun 'M' : 'f g' / 255, (a), -(1), {(\"s\")}].",
    "\"\"\"\n  a \"quoted\" \\n\n\n    b\n  \"\"\".",
    "[~\"a\\tb\", ~b(a\\)), ~B[\\], ~s|x|, ~S'\\', ~`x`, ~<a>, ~{b}, ~#c#, ~/d/].",
    "~b\"\"\"\"\n\ta\\x41\n\t\"\"\"\n\t\"\"\"\".",
    "[16#f.8, 16#f.8#e2, 2#1.1#e-1, 10#1.5#e3].",
    "a. % comment\nb.%\nc.\n\n% end",
    "\u{85}a\u{A0}.\n",
];

/// Those texts, and what is in their lists as a text of its own: most of a short text's mutants are
/// sound.
pub fn texts() -> Vec<Vec<u8>> {
    let list = |text: &'static str| {
        text.strip_prefix('[')
            .and_then(|rest| rest.strip_suffix("]."))
    };
    let pieces = TEXTS
        .iter()
        .filter_map(|text| list(text))
        .flat_map(|inside| inside.split(", "));
    let texts = TEXTS.iter().map(|text| (*text).to_owned());
    texts
        .chain(pieces.map(|piece| format!("{piece}.")))
        .map(String::into_bytes)
        .collect()
}

/// What means something in those texts.
pub const DICTIONARY: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"<<",
    b">>",
    b"#{",
    b"=>",
    b":=",
    b"|",
    b"||",
    b",",
    b".",
    b". ",
    b":",
    b"/",
    b"-",
    b"+",
    b"\"",
    b"'",
    b"\"\"",
    b"\"\"\"",
    b"\"\"\"\n",
    b"\n",
    b" ",
    b"\t",
    b"%",
    b"%\n",
    b"\\",
    b"\\x",
    b"\\x{",
    b"\\^",
    b"\\\n",
    b"$",
    b"$\\",
    b"~",
    b"~b",
    b"~S",
    b"fun ",
    b"a",
    b"A",
    b"_",
    b"1",
    b"0",
    b"16#",
    b"1_0",
    b"1.5",
    b"e5",
    b"e-",
    b"\xC3\xA5",
    b"\xC3\x85",
    b"\xC2\x85",
    b"\xC2\xA0",
    b"\xE2\x82\xAC",
    b"\xEF\xBF\xBE",
    b"\xF0\x9F\x98\x80",
    b"\xE5",
    b"\x00",
    b"\x7F",
    b"/utf8",
    b"/binary",
    b"/float",
    b":16",
    b"/little",
    b"-signed",
    b"-unit:8",
    b"end",
    b"coding: latin-1",
    b"%% coding: utf-8\n",
];
