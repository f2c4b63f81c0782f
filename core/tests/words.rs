//! Codes, names, texts and identifiers: what a person may type for them, and what becomes of it.
#![cfg(test)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use qun_core::{
    Code, CodeError, Entropy, Epoch, Id, Key, MemberId, Name, NameError, RoomId, Seq, Text, TextError, TextLimits,
};

#[test]
fn a_generated_code_is_8_of_its_alphabet_and_reads_back() {
    let mut entropy = Entropy::new([1; 32]);
    for _ in 0..1_000 {
        let code = Code::generate(&mut entropy);
        assert_eq!(code.canonical().len(), 8);
        assert!(code.canonical().bytes().all(|b| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&b)));
        assert!(code.is_strong());
        let shown = code.to_string();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));
        assert_eq!(shown.parse(), Ok(code));
    }
}

#[test]
fn letters_that_look_alike_are_one() {
    let code: Code = "O0IL-1oil".parse().unwrap();
    assert_eq!(code.canonical(), "00111011");
}

#[test]
fn a_code_of_any_script_is_a_code() {
    for (typed, canonical) in
        [("芝麻开门芝麻开门", "芝麻开门芝麻开门"), ("ＫＩＷＩ－１２３４", "K1W11234"), ("пароль-12", "ПАРОЛЬ12")]
    {
        assert_eq!(typed.parse::<Code>().unwrap().canonical(), canonical);
    }
}

#[test]
fn a_code_is_refused_at_its_edges() {
    let parse = |typed: &str| typed.parse::<Code>();
    assert_eq!(parse(" - "), Err(CodeError::Empty));
    assert!(parse(&"A".repeat(64)).is_ok());
    assert_eq!(parse(&"A".repeat(65)), Err(CodeError::TooLong));
    assert_eq!(parse("AB!CDEFG"), Err(CodeError::Character('!')));
    assert_eq!(parse("ping pong"), Err(CodeError::Reserved("PING")));
    assert!(parse("pingpong").is_ok());
    assert!(!parse("ABCDEFG").unwrap().is_strong());
    assert!(parse("ABCD-EFGH").unwrap().is_strong());
}

#[test]
fn no_log_ever_shows_a_code_or_a_key() {
    let code: Code = "K7QM-2XD4".parse().unwrap();
    let key: Key = "q8ZtV1c0TgW2q8ZtV1c0Tg".parse().unwrap();
    let shown = format!("{code:?} {key:?} {:?} {:?}", key.hash(), Entropy::new([0x77; 32]));
    for secret in ["K7QM", "2XD4", "q8Zt", "77, 77", "119, 119"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_name_is_refused_at_its_edges() {
    let parse = |typed: &str| typed.parse::<Name>();
    assert_eq!(parse(""), Err(NameError::Empty));
    assert_eq!(parse(" \t"), Err(NameError::Empty));
    assert!(parse(&"n".repeat(32)).is_ok());
    assert_eq!(parse(&"n".repeat(33)), Err(NameError::TooLong));
    assert!(parse(&"字".repeat(21)).is_ok());
    assert_eq!(parse(&"字".repeat(22)), Err(NameError::TooLong));
    for bad in ["a b", "a<b", "a\u{200B}b", "a\u{202E}b", "@ann", "a/b", "a\nb"] {
        assert!(matches!(parse(bad), Err(NameError::Character(_))), "{bad:?}");
    }
    assert_eq!(parse(" ann_w-2.x ").unwrap().as_str(), "ann_w-2.x");
}

#[test]
fn names_that_look_alike_are_one() {
    let folded = |name: &str| name.parse::<Name>().unwrap().folded();
    for (a, b) in [("Ann", "aNN"), ("ＡＮＮ", "ann"), ("Straße", "STRASSE"), ("e\u{301}ve", "Éve"), ("ﬁn", "FIN")]
    {
        assert_eq!(folded(a), folded(b), "{a} {b}");
    }
    assert_ne!(folded("ann"), folded("anne"));
}

#[test]
fn a_text_is_refused_at_its_edges() {
    let limits = TextLimits { bytes: 10, lines: 2 };
    let check = |typed: &str| typed.parse::<Text>().and_then(|text| text.check(&limits));
    assert_eq!(check("0123456789"), Ok(()));
    assert_eq!(check("0123456789a"), Err(TextError::TooLong(10)));
    assert_eq!(check("a\nb"), Ok(()));
    assert_eq!(check("a\nb\nc"), Err(TextError::TooManyLines(2)));
    assert_eq!(check(" \n"), Err(TextError::Blank));
    for c in ['\0', '\r', '\x1b', '\x7f', '\u{80}', '\u{9f}', '\u{202A}', '\u{202E}', '\u{2066}', '\u{2069}'] {
        assert_eq!(check(&format!("a{c}")), Err(TextError::Control(c)));
    }
}

proptest! {
    #[test]
    fn a_code_reads_back_however_it_is_shown_or_typed(typed in "[0-9A-Za-z]{1,64}", cuts in any::<u64>()) {
        let Ok(code) = typed.parse::<Code>() else { return Err(TestCaseError::reject("a reserved word")) };
        prop_assert_eq!(&code.to_string().parse::<Code>().unwrap(), &code);
        prop_assert_eq!(&code.canonical().parse::<Code>().unwrap(), &code);
        let mut loose = String::from("-");
        for (i, c) in typed.chars().enumerate() {
            loose.push(if cuts >> (i % 64) & 1 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
            loose.push_str(["", " ", "-", " - "][(cuts >> (i % 32) & 3) as usize]);
        }
        prop_assert_eq!(loose.parse::<Code>().unwrap(), code);
    }

    #[test]
    fn whatever_is_read_as_a_code_reads_back(typed in "\\PC{0,80}") {
        if let Ok(code) = typed.parse::<Code>() {
            prop_assert!(code.canonical().chars().count() <= Code::MAX_CHARS);
            // A canonical form may begin with a reserved word that was typed with a hyphen in it: then it never comes out.
            match code.canonical().parse::<Code>() {
                Ok(again) => prop_assert_eq!(again, code),
                Err(error) => prop_assert!(matches!(error, CodeError::Reserved(_))),
            }
        }
    }

    #[test]
    fn whatever_is_read_as_a_name_reads_back(typed in "\\PC{0,40}") {
        if let Ok(name) = typed.parse::<Name>() {
            prop_assert!(name.as_str().len() <= Name::MAX_BYTES && name.as_str().chars().count() <= Name::MAX_CHARS);
            prop_assert_eq!(name.as_str().parse::<Name>().unwrap(), name);
        }
    }

    #[test]
    fn a_suffix_leaves_a_name_a_name(typed in "[a-zé字_.-]{1,32}", number in 2..u64::MAX) {
        let Ok(name) = typed.parse::<Name>() else { return Ok(()) };
        let other = name.with_suffix(number);
        prop_assert!(other.as_str().len() <= Name::MAX_BYTES && other.as_str().chars().count() <= Name::MAX_CHARS);
        let suffix = format!("-{number}");
        prop_assert!(other.as_str().ends_with(&suffix));
        prop_assert_ne!(other.folded(), name.folded());
    }

    #[test]
    fn whatever_is_read_as_a_text_reads_back_and_is_safe_to_show(typed in any::<String>()) {
        if let Ok(text) = typed.parse::<Text>() {
            prop_assert_eq!(text.as_str(), &typed);
            prop_assert!(!typed.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }
    }

    #[test]
    fn identifiers_read_back(seed: [u8; 32], bits: u64) {
        let mut entropy = Entropy::new(seed);
        let (id, key, epoch) = (Id::generate(&mut entropy), Key::generate(&mut entropy), Epoch::generate(&mut entropy));
        prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        prop_assert_eq!(epoch.to_string().parse::<Epoch>(), Ok(epoch));
        prop_assert_eq!(key.expose().parse::<Key>(), Ok(key));
        let member = MemberId::from_bits(bits);
        prop_assert_eq!(member.to_string().parse::<MemberId>(), Ok(member));
        prop_assert_eq!(member.to_string().len(), 10);
    }

    #[test]
    fn what_is_no_identifier_is_refused(typed in "\\PC{0,40}") {
        let fits = |most: usize, also: &str| {
            (1..=most).contains(&typed.len()) && typed.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        prop_assert_eq!(typed.parse::<Id>().is_ok(), fits(36, "_-"));
        prop_assert_eq!(typed.parse::<Key>().is_ok(), typed.len() == 22 && fits(22, "_-"));
        prop_assert_eq!(typed.parse::<MemberId>().is_ok(), typed.len() == 10 && fits(10, "_-"));
        prop_assert_eq!(typed.parse::<RoomId>().is_ok(), fits(32, "_-") && !typed.contains(|c: char| c.is_ascii_uppercase()));
    }

    #[test]
    fn a_seq_never_leaves_what_json_can_hold(number: u64, n: u64) {
        let seq = Seq::new(number);
        prop_assert!(seq <= Seq::MAX && seq.plus(n) <= Seq::MAX && seq.minus(n) <= seq && seq.plus(n) >= seq);
    }
}

#[test]
fn a_new_code_is_40_random_bits() {
    let mut entropy = Entropy::new([5; 32]);
    let codes: Vec<Vec<u8>> = (0..6_000).map(|_| Code::generate(&mut entropy).canonical().into()).collect();
    for place in 0..8 {
        // Any two letters may stand side by side: of their 1,024 pairs hardly one is missing.
        let pairs: BTreeSet<_> = codes.iter().map(|code| (code[place], code[(place + 1) % 8])).collect();
        assert!(pairs.len() > 900, "{} pairs at {place}", pairs.len());
    }
}

#[test]
fn a_code_is_shown_in_groups_where_it_is_one_of_ours() {
    for (typed, shown) in [("k7qm2xd4", "K7QM-2XD4"), ("abcdefgh99", "ABCDEFGH99"), ("abc", "ABC")] {
        assert_eq!(typed.parse::<Code>().unwrap().to_string(), shown);
    }
}

#[test]
fn a_name_is_as_long_as_it_may_be() {
    let longest = format!("{}a", "字".repeat(21));
    assert_eq!(longest.len(), 64);
    assert_eq!(longest.parse::<Name>().unwrap().as_str(), longest);
    assert!(format!("{longest}b").parse::<Name>().is_err());
    // What counts is the canonical form, however it was typed.
    let decomposed = "e\u{302}\u{301}".repeat(21);
    assert_eq!(decomposed.parse::<Name>().unwrap().as_str(), "\u{1EBF}".repeat(21));
}

#[test]
fn a_suffix_shortens_a_name_no_more_than_it_must() {
    let suffixed = |name: &str| name.parse::<Name>().unwrap().with_suffix(2).to_string();
    for name in ["ann".to_string(), "n".repeat(30), format!("{}ab", "字".repeat(20))] {
        assert_eq!(suffixed(&name), format!("{name}-2"));
    }
    assert_eq!(suffixed(&"n".repeat(32)), format!("{}-2", "n".repeat(30)));
    assert_eq!(suffixed(&"字".repeat(21)), format!("{}-2", "字".repeat(20)));
}

#[test]
fn an_integer_that_json_can_not_hold_is_no_seq() {
    let read = |digits: &str| serde_json::from_str::<Seq>(digits).ok();
    assert_eq!(read("9007199254740991"), Some(Seq::MAX));
    assert_eq!(read("9007199254740992"), None);
}
