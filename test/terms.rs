//! Properties of terms: what is printed reads back, what is encoded decodes, and nothing that comes
//! from outside crashes, hangs or fills the memory.

mod support;

use erlrc::application::{self, Application, Fault};
use erlrc::term::{Limits, Term, external, print, text};
use proptest::prelude::*;
use support::mutate::{Mutator, fuzz};
use support::terms::{DICTIONARY, TEXTS, config, term, texts};

fn read(source: &str) -> Vec<Term> {
    text::parse_all(source.as_bytes(), &Limits::default()).expect(source)
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn what_is_printed_reads_back(term in term(), width in 1..120usize) {
        prop_assert_eq!(&text::parse(&print::compact(&term)).expect("a term"), &term);
        prop_assert_eq!(&text::parse(&print::pretty(&term, width)).expect("a term"), &term);
        prop_assert_eq!(read(&print::file(&[term.clone(), term.clone()])), vec![term.clone(), term]);
    }

    #[test]
    fn what_is_encoded_decodes(term in term()) {
        let decoded = external::decode(&external::encode(&term), &Limits::default());
        prop_assert_eq!(decoded, Ok(term));
    }

    #[test]
    fn another_codec_reads_what_is_encoded_and_writes_it_the_same(term in term()) {
        let theirs = eetf::Term::decode(external::encode(&term).as_slice()).expect("a term");
        let mut again = Vec::new();
        theirs.encode(&mut again).expect("encoded");
        let again = external::decode(&again, &Limits::default());
        // It writes [-1] as [255].
        prop_assert!(again.as_ref() == Ok(&term) || term.to_string().contains('-'), "{:?}", again);
    }

    #[test]
    fn the_order_is_total_and_agrees_with_equality(a in term(), b in term(), c in term()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        prop_assert!(a == a.clone());
        let mut sorted = [a, b, c];
        sorted.sort();
        prop_assert!(sorted[0] <= sorted[2]);
    }

    #[test]
    fn lines_are_as_wide_as_asked_where_they_can_be_broken(count in 1..200usize) {
        let wide = Term::list((0..count).map(Term::from));
        let text = print::pretty(&Term::tuple([Term::atom("numbers"), wide]), 80);
        prop_assert!(text.lines().all(|line| line.len() <= 80), "{}", text);
    }
}

/// Small enough that an input cannot fill the memory, large enough that most are taken.
fn limits() -> Limits {
    Limits {
        size: 1 << 16,
        nesting: 64,
        atoms: 1000,
        values: 10_000,
        digits: 500,
    }
}

#[test]
fn hostile_text_is_read_or_refused() {
    let seeds = texts();
    fuzz(
        &mut Mutator::new(1, &seeds, DICTIONARY),
        |input| match text::parse_all(input, &limits()) {
            Ok(terms) => assert_eq!(read(&print::file(&terms)), terms),
            Err(error) => {
                assert!(error.line > 0 && error.column > 0 && !error.to_string().is_empty())
            }
        },
    );
}

/// Specifications with everything in their environment that a text may hold.
fn specifications() -> Vec<Vec<u8>> {
    let pieces = texts()
        .into_iter()
        .filter_map(|text| String::from_utf8(text).ok());
    let values = pieces.map(|text| text.trim_end().trim_end_matches('.').to_owned());
    let specification = |value: String| {
        format!(
            "{{application, foo, [{{links, {value}}}, {{vsn, \"1\"}}, {{modules, [a, bc]}},\n\
             {{registered, [a, if_, c]}}, {{applications, [b]}}, {{env, [{{k, {value}}}]}}]}}."
        )
    };
    values.map(specification).map(String::into_bytes).collect()
}

#[test]
fn a_specification_says_the_same_whether_it_is_read_in_part_or_whole() {
    let whole = |input: &[u8]| -> Result<Application, Fault> {
        let terms = text::parse_all(input, &Limits::default())?;
        Ok(Application::from_term(application::only(terms)?)?)
    };
    let seeds = specifications();
    let mut sound = 0;
    fuzz(&mut Mutator::new(3, &seeds, DICTIONARY), |input| {
        match (Application::from_text(input.to_vec()), whole(input)) {
            (Ok(part), Ok(whole)) => {
                sound += 1;
                assert_eq!(part.vsn, whole.vsn);
                assert_eq!(part.modules(), whole.modules());
                assert_eq!(part.applications, whole.applications);
                assert_eq!(part.into_term(), whole.into_term());
            }
            (part, whole) => assert_eq!(
                part.map_err(|fault| fault.to_string()).err(),
                whole.map_err(|fault| fault.to_string()).err(),
            ),
        }
    });
    assert!(sound > 0);
}

/// Tags and lengths.
const EXTERNAL: &[&[u8]] = &[
    &[131],
    &[80],
    &[131, 80, 0, 0, 1, 0],
    &[68],
    &[70],
    &[77],
    &[82],
    &[88],
    &[89],
    &[90],
    &[97, 1],
    &[98],
    &[99],
    &[100, 0, 1, 229],
    &[101],
    &[102],
    &[103],
    &[104, 2],
    &[104, 0],
    &[105, 0, 0, 0, 2],
    &[105, 255, 255, 255, 255],
    &[106],
    &[107, 0, 2],
    &[108, 0, 0, 0, 1],
    &[108, 255, 255, 255, 255],
    &[109, 0, 0, 0, 1],
    &[109, 127, 255, 255, 255],
    &[110, 1, 0],
    &[110, 1, 2],
    &[111, 0, 0, 0, 9, 1],
    &[112],
    &[113],
    &[114, 0, 3],
    &[115, 1, 97],
    &[116, 0, 0, 0, 1],
    &[117],
    &[118, 0, 1, 97],
    &[119, 1, 97],
    &[120],
    &[121],
    &[255; 4],
    &[0; 4],
    &[119, 1, 97, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
];

fn external_seeds() -> Vec<Vec<u8>> {
    let node = erlrc::term::Atom::of("n@h");
    let pid = external::encode(&Term::pid(&node, 1, 2, 3));
    let whole_file = |text: &&str| external::encode(&Term::List(read(text)));
    let mut seeds: Vec<Vec<u8>> = TEXTS.iter().map(whole_file).collect();
    // A closure, a reference and a port around parts of that pid.
    let node = &pid[2..7];
    let closure = [
        &[131, 112, 0, 0, 0, 99, 2],
        &[7; 16][..],
        &[0, 0, 0, 1, 0, 0, 0, 1],
        node,
        &[97, 1, 97, 2],
        &pid[1..],
        &[106],
    ]
    .concat();
    seeds.extend([
        [&[131, 104, 2], &pid[1..], &pid[1..]].concat(),
        closure,
        [&[131, 90, 0, 2], node, &[0; 12]].concat(),
        [&[131, 120], node, &[0; 12]].concat(),
    ]);
    assert!(
        seeds
            .iter()
            .all(|seed| external::decode(seed, &Limits::default()).is_ok())
    );
    seeds
}

#[test]
fn hostile_external_terms_are_decoded_or_refused() {
    let seeds = external_seeds();
    fuzz(
        &mut Mutator::new(2, &seeds, EXTERNAL),
        |input| match external::decode(input, &limits()) {
            Ok(term) => {
                let again = external::decode(&external::encode(&term), &Limits::default());
                assert_eq!(again, Ok(term));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        },
    );
}

/// A dirty scheduler's stack has 40 kilowords, 320 KiB; some of it belongs to the caller. Frames of
/// a debug build are several times as large.
const DIRTY_SCHEDULER: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    160 << 10
};

#[test]
fn the_deepest_terms_fit_a_dirty_schedulers_stack() {
    let nested = |open: &str, close: &str| {
        let depth = Limits::default().nesting;
        format!("{}a{}", open.repeat(depth), close.repeat(depth))
    };
    let texts = [
        nested("[", "]"),
        nested("{a,", "}"),
        nested("#{k => ", "}"),
        nested("[x|{", "}]"),
    ];
    let check = |text: &String| {
        let Ok(term) = text::parse(text) else { return };
        let encoded = external::encode(&term);
        assert_eq!(
            external::decode(&encoded, &Limits::default()),
            Ok(term.clone())
        );
        assert_eq!(text::parse(&print::compact(&term)), Ok(term.clone()));
        assert_eq!(text::parse(&print::pretty(&term, 80)), Ok(term));
    };
    let deepest = move || texts.iter().for_each(check);
    std::thread::Builder::new()
        .stack_size(DIRTY_SCHEDULER)
        .spawn(deepest)
        .unwrap()
        .join()
        .unwrap();
}
