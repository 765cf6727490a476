use super::*;
use crate::term::Atom;
use crate::term::text::parse;

fn limits() -> Limits {
    Limits::default()
}

/// What `term_to_binary/1` gives for `text`, without the version byte.
#[track_caller]
fn case(text: &str, external: &[u8]) {
    let bytes = [&[131], external].concat();
    let term = parse(text).expect("a term");
    assert_eq!(decode(&bytes, &limits()), Ok(term.clone()));
    assert_eq!(decode(&encode(&term), &limits()), Ok(term));
}

#[track_caller]
fn refused(external: &[u8], error: ExternalError) {
    assert_eq!(decode(&[&[131], external].concat(), &limits()), Err(error));
}

#[test]
fn values_of_each_kind() {
    case("a", &[100, 0, 1, 97]);
    case("'å'", &[119, 2, 195, 165]);
    case("255", &[97, 255]);
    case("-1", &[98, 255, 255, 255, 255]);
    case("4294967296", &[110, 5, 0, 0, 0, 0, 0, 1]);
    case("1.5", &[70, 63, 248, 0, 0, 0, 0, 0, 0]);
    case("<<\"ab\">>", &[109, 0, 0, 0, 2, 97, 98]);
    case("<<1,5:3>>", &[77, 0, 0, 0, 2, 3, 1, 160]);
    case("[]", &[106]);
    case("\"ab\"", &[107, 0, 2, 97, 98]);
    case("[a|b]", &[108, 0, 0, 0, 1, 119, 1, 97, 119, 1, 98]);
    case("{}", &[104, 0]);
    case("#{a => 1}", &[116, 0, 0, 0, 1, 119, 1, 97, 97, 1]);
    case("fun a:b/2", &[113, 119, 1, 97, 119, 1, 98, 97, 2]);
}

#[test]
fn old_formats_and_negative_integers_beside_bytes() {
    case("'å'", &[115, 1, 229]);
    case("{'å',b}", &[104, 2, 100, 0, 1, 229, 115, 1, 98]);
    let mut float = [0; 32];
    float[0] = 99;
    float[1..27].copy_from_slice(b"1.10000000000000008882e+00");
    case("1.1", &float);
    for text in ["[-1]", "[1,-1]", "[1,-1,256]", "[-1|a]", "[-2147483649,1]"] {
        let term = parse(text).expect("a term");
        assert_eq!(decode(&encode(&term), &limits()), Ok(term));
    }
}

#[test]
fn what_is_no_term_is_refused() {
    refused(&[108, 255, 255, 255, 255], ExternalError::Truncated);
    refused(&[105, 255, 255, 255, 255, 106], ExternalError::Truncated);
    refused(&[116, 255, 255, 255, 255, 106], ExternalError::Truncated);
    refused(&[109, 255, 255, 255, 255], ExternalError::Truncated);
    refused(&[77, 0, 0, 0, 1, 9, 1], ExternalError::Malformed);
    refused(&[77, 0, 0, 0, 1, 0, 1], ExternalError::Malformed);
    refused(&[82, 1], ExternalError::Tag { tag: 82, at: 1 });
    refused(&[68, 1], ExternalError::Tag { tag: 68, at: 1 });
    refused(&[121, 1], ExternalError::Tag { tag: 121, at: 1 });
    refused(&[110, 1, 7, 1], ExternalError::Malformed);
    refused(&[70, 127, 240, 0, 0, 0, 0, 0, 0], ExternalError::Malformed);
    refused(
        &[[104, 1].repeat(100_000), vec![106]].concat(),
        ExternalError::TooDeep { limit: 256 },
    );
    refused(&[106, 0], ExternalError::Trailing { at: 2 });
    refused(&[], ExternalError::Truncated);
    assert_eq!(decode(&[130, 106], &limits()), Err(ExternalError::Version));
}

#[test]
fn compressed_terms_are_bounded() {
    use std::io::Write as _;
    let compressed = |said: u32, length: usize| {
        let mut plain = vec![109];
        plain.extend((length as u32).to_be_bytes());
        plain.resize(length + 5, 7);
        let mut bytes = vec![131, 80];
        bytes.extend(said.to_be_bytes());
        let mut encoder = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::fast());
        encoder.write_all(&plain).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let sound = compressed(1005, 1000);
    assert_eq!(decode(&sound, &limits()), Ok(Term::Binary(vec![7; 1000])));
    let mut longer = sound.clone();
    longer.push(0);
    assert_eq!(
        decode(&longer, &limits()),
        Err(ExternalError::Trailing { at: sound.len() })
    );
    assert_eq!(
        decode(&compressed(1004, 1000), &limits()),
        Err(ExternalError::Compression)
    );
    assert_eq!(
        decode(&sound[..20], &limits()),
        Err(ExternalError::Compression)
    );
    let bomb = compressed(u32::MAX, 1000);
    assert_eq!(
        decode(&bomb, &limits()),
        Err(ExternalError::TooLong {
            limit: limits().size
        })
    );
}

#[test]
fn limits_hold() {
    let small = Limits {
        size: 30,
        nesting: 2,
        atoms: 1,
        values: 4,
        digits: 4,
    };
    let read = |external: &[u8]| decode(&[&[131], external].concat(), &small);
    assert!(read(&[104, 1, 104, 1, 106]).is_ok());
    assert_eq!(
        read(&[104, 1, 104, 1, 104, 1, 106]),
        Err(ExternalError::TooDeep { limit: 2 })
    );
    assert!(read(&[104, 2, 119, 1, 97, 119, 1, 97]).is_ok());
    let two_atoms = read(&[104, 2, 119, 1, 97, 119, 1, 98]);
    assert_eq!(two_atoms, Err(ExternalError::TooManyAtoms { limit: 1 }));
    let four = read(&[104, 4, 106, 106, 106, 106]);
    assert_eq!(four, Err(ExternalError::TooManyValues { limit: 4 }));
    let large = read(&[110, 5, 0, 1, 1, 1, 1, 1]);
    assert_eq!(large, Err(ExternalError::TooLargeInteger { limit: 4 }));
    let long = read(&[&[104, 2, 109, 0, 0, 0, 30], &[0; 30][..], &[106]].concat());
    assert_eq!(long, Err(ExternalError::TooLong { limit: 30 }));
}

#[test]
fn a_map_has_no_key_twice() {
    refused(
        &[116, 0, 0, 0, 2, 97, 1, 97, 2, 97, 1, 97, 3],
        ExternalError::Malformed,
    );
    case(
        "#{2 => a,1 => b}",
        &[116, 0, 0, 0, 2, 97, 2, 119, 1, 97, 97, 1, 119, 1, 98],
    );
}

#[test]
fn a_pid_comes_back_as_it_went() {
    let node = Atom::of("c1@localhost");
    let message = Term::tuple([Term::pid(&node, 1, 2, 3), Term::atom("call")]);
    let bytes = encode(&message);
    assert_eq!(bytes[..5], [131, 104, 2, 88, 119]);
    assert_eq!(decode(&bytes, &limits()), Ok(message.clone()));
    assert_eq!(message.to_string(), "{#Pid<>,call}");
}

#[test]
fn two_terms_in_a_row_are_read_one_by_one() {
    let bytes = [
        encode(&Term::atom("control")),
        encode(&Term::atom("message")),
    ]
    .concat();
    let (control, length) = decode_prefix(&bytes, &limits()).expect("a term");
    assert_eq!(control, Term::atom("control"));
    assert_eq!(
        decode(&bytes[length..], &limits()),
        Ok(Term::atom("message"))
    );
}
