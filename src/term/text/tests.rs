use super::*;

#[track_caller]
fn case(text: &str, expected: &str) {
    assert_eq!(parse(text).expect("a term").to_string(), expected);
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse_all(text.as_bytes(), &Limits::default()).expect_err("no term");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn containers_and_comments() {
    case("{a,[1,2|%x\n b],#{k=>v}}.%", "{a,[1,2|b],#{k => v}}");
    case("{}", "{}");
    case("[a|[b|[c]]]", "[a,b,c]");
    case("((a))", "a");
    case("#{a=>1,b=>2,a=>3}", "#{a => 3,b => 2}");
    refused("{a,}.", "line 1, column 4: unexpected '}'");
    refused("[|a].", "line 1, column 2: unexpected '|'");
    refused("[a|b|c].", "line 1, column 5: unexpected '|'");
    refused("#{a:=b}.", "line 1, column 4: unexpected ':'");
}

#[test]
fn errors_name_line_and_column() {
    refused(
        "a.\nb.\n {å, Å}.",
        "line 3, column 6: a variable is no term",
    );
    refused(
        "a.\nb\n",
        "line 3, column 1: unexpected end: the last term is not finished, or its dot is missing",
    );
    refused("{a}.{b}.", "line 1, column 5: unexpected '{'");
    refused("\n\"abc", "line 2, column 1: unterminated string");
    refused(
        "[if].",
        "line 1, column 2: reserved word `if` must be quoted to be an atom",
    );
}

#[test]
fn atoms() {
    case("'a b'", "'a b'");
    case("'a\\'\\x{e5}\\n'", "'a\\'å\\n'");
    case("ångström@1_A", "ångström@1_A");
    case("maybe", "'maybe'");
    case("''", "''");
    refused("Abc.", "line 1, column 1: unexpected 'A'");
    refused(
        &format!("{}.", "a".repeat(256)),
        "line 1, column 1: illegal atom: longer than 255 characters",
    );
}

#[test]
fn numbers() {
    case("1_000", "1000");
    case("16#fF", "255");
    case("36#z_z", "1295");
    case("- 1", "-1");
    case("-((1))", "-1");
    case("+$a", "97");
    case("-9223372036854775808", "-9223372036854775808");
    case(
        "123456789012345678901234567890",
        "123456789012345678901234567890",
    );
    case("1.5e3", "1.5e3");
    case("1_0.5_0e1_0", "1.05e11");
    case("16#f.8#e2", "3968.0");
    case("2#1.1#e-1", "0.75");
    case("2#.1", "0.5");
    refused("10#.5.", "line 1, column 1: illegal float");
    case("-0.0", "-0.0");
    case("1.0e-400", "0.0");
    refused("1.0e400.", "line 1, column 1: illegal float");
    refused("37#1.", "line 1, column 1: illegal base");
    refused("1e5.", "line 1, column 2: unexpected 'e'");
    refused("--1.", "line 1, column 2: unexpected '-'");
}

#[test]
fn characters_and_strings() {
    case(
        "[$a,$\\n,$ ,$\\s,$\\x{e5},$\\^a,$\\101,$\\d,$\\e]",
        "[97,10,32,32,229,1,65,127,27]",
    );
    case("\"a\" \"b\"%c\n\"c\"", "\"abc\"");
    case("\"a\"\"b\"", "\"ab\"");
    case("\"\"", "[]");
    case("\"\\x{1F600}\\\n\\\"\\z\"", "\"😀\\n\\\"z\"");
    refused(
        "\"\\x{110000}\".",
        "line 1, column 2: illegal escape sequence",
    );
}

#[test]
fn triple_quoted_strings_and_sigils() {
    case("\"\"\"\n  a\\n\n    b\n\n  \"\"\"", "\"a\\\\n\\n  b\\n\"");
    case("\"\"\"\n\"\"\"", "[]");
    case("\"\"\"\"\n\"\"\"\n\"\"\"\"", "\"\\\"\\\"\\\"\"");
    case("~b\"\"\"\n a\\tb\n \"\"\"", "<<\"a\\tb\">>");
    case(
        "[~\"a\\tå\",~b[a\\]],~B[a\\],~s|x|,~S'\\']",
        "[<<\"a\\tå\"/utf8>>,<<\"a]\">>,<<\"a\\\\\">>,\"x\",\"\\\\\"]",
    );
    refused("~x\"a\".", "line 1, column 1: illegal sigil prefix");
    refused(
        "\"\"\"\n a\n  \"\"\".",
        "line 1, column 1: illegal triple-quoted string: bad indentation",
    );
}

#[test]
fn binaries() {
    case("<<>>", "<<>>");
    case(
        "<<1,2,\"abc\",3:4, \"å\"/utf8, 1:16/little>>",
        "<<1,2,97,98,99,60,58,80,16,0:4>>",
    );
    case("<<16#123:12/little>>", "<<35,1:4>>");
    case("<<-1:12>>", "<<255,15:4>>");
    case(
        "<<1.5/float,1.0e6:16/float>>",
        "<<63,248,0,0,0,0,0,0,124,0>>",
    );
    case("<<(<<1,2,3>>):2/binary>>", "<<1,2>>");
    case("<<<<5:3>>/bits,1:5>>", "<<161>>");
    case("<<\"\"/float>>", "<<>>");
    refused(
        "<<(<<1:3>>)/binary>>.",
        "line 1, column 3: illegal binary segment",
    );
    refused("<<a>>.", "line 1, column 3: illegal binary segment");
    refused("<<[97]>>.", "line 1, column 3: illegal binary segment");
    refused(
        "<<1:99999999999>>.",
        "line 1, column 3: illegal binary segment",
    );
    refused("<<1:+8>>.", "line 1, column 5: unexpected '+'");
    refused(
        "<<1:8/signed-unsigned>>.",
        "line 1, column 14: illegal type of a binary segment",
    );
}

#[test]
fn external_funs() {
    case("fun lists : 'map' / 2", "fun lists:map/2");
    refused("fun a:b/256.", "line 1, column 9: illegal arity");
    refused("fun a/1.", "line 1, column 6: unexpected '/'");
}

#[test]
fn encodings() {
    let read = |bytes: &[u8]| parse_all(bytes, &Limits::default());
    let expected = Ok(vec![Term::string("å")]);
    assert_eq!(read(b"%% coding: latin-1\n\"\xE5\"."), expected);
    assert_eq!(read(b"\n%-*- coding: Latin-1 -*-\n\"\xE5\"."), expected);
    assert_eq!(read("%% coding: utf-8\n\"å\".".as_bytes()), expected);
    let error = read(b"\n\n%% coding: latin-1\n\"\xE5\".").expect_err("not UTF-8");
    assert_eq!((error.line, error.kind), (4, ParseErrorKind::NotUtf8));
}

#[test]
fn limits() {
    let small = Limits {
        size: 100,
        nesting: 2,
        atoms: 2,
        values: 5,
        digits: 20,
    };
    let read = |text: &str| parse_all(text.as_bytes(), &small).map_err(|error| error.kind);
    assert_eq!(
        read(&" ".repeat(101)),
        Err(ParseErrorKind::TooLong { limit: 100 })
    );
    assert_eq!(read("{{{}}}."), Err(ParseErrorKind::TooDeep { limit: 2 }));
    assert!(read("{{a,b,a}}.").is_ok());
    assert_eq!(
        read("{a,b,c}."),
        Err(ParseErrorKind::TooManyAtoms { limit: 2 })
    );
    assert_eq!(
        read("[1,2,3,4,5]."),
        Err(ParseErrorKind::TooManyValues { limit: 5 })
    );
    assert!(read(&format!("{}.", "9".repeat(20))).is_ok());
    assert!(read(&format!("{}.", "9".repeat(21))).is_err());
}

#[test]
fn an_outline_counts_what_it_leaves_out() {
    let text = b"{application, foo, [{env, [{a, {1, []}}, {b, \"c\"}]}, {modules, [a, b]},\n \
        {links, 1.5, [a, {b, <<1>>}]}, {vsn, \"1\"}]}.";
    let leave: Choice = |key| match key {
        "vsn" => Keep::All,
        "modules" => Keep::UnlessAtoms,
        _ => Keep::Nothing,
    };
    for limit in 0..50 {
        let default = Limits::default;
        for limits in [
            Limits {
                values: limit,
                ..default()
            },
            Limits {
                atoms: limit,
                ..default()
            },
            Limits {
                nesting: limit,
                ..default()
            },
        ] {
            let whole = parse_all(text, &limits).map(|_| ());
            assert_eq!(
                outline(text, &limits, leave).map(|_| ()),
                whole,
                "{limits:?}"
            );
        }
    }
}

#[test]
fn what_is_read_in_any_base_can_be_read_again_as_it_is_printed() {
    for (base, digit) in [(2, "1"), (10, "9"), (16, "f"), (36, "z")] {
        let mut read = 0;
        for length in [
            10, 5_000, 10_000, 10_527, 10_528, 13_606, 13_607, 16_384, 16_385,
        ] {
            let text = format!("{base}#{}", digit.repeat(length));
            if let Ok(number) = parse(&text) {
                assert_eq!(parse(&number.to_string()), Ok(number), "{base}#{length}");
                read = length;
            }
        }
        assert!((10_527..=16_384).contains(&read), "{base}: {read}");
    }
}
