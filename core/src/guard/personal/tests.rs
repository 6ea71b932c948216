use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<(Kind, &str)> {
    found_in(text, &[])
}

fn found_in<'a>(text: &'a str, regions: &[&str]) -> Vec<(Kind, &'a str)> {
    let regions: Vec<phone::Region> = regions.iter().map(|code| phone::region(code).unwrap()).collect();
    find(text, &regions)
        .into_iter()
        .map(|finding| (finding.kind, &text[finding.range]))
        .collect()
}

fn assert_all(kind: Kind, texts: &[(&str, &str)]) {
    for (text, wanted) in texts {
        assert_eq!(found(text), [(kind, *wanted)], "{text}");
    }
}

#[test]
fn every_pattern_compiles() {
    found("a@b.co 1.2.3.4 fe80::1 DE89 QQ123456C 12345678Z RSSMRA85T10A562S 110105194912310021 +1");
}

#[test]
fn addresses_of_mail() {
    assert_all(
        Kind::Email,
        &[
            (
                "Write to ada.l+news@mail.example.com.",
                "ada.l+news@mail.example.com",
            ),
            ("<ada@example.com>", "ada@example.com"),
            ("بريدي:ada@example.com،", "ada@example.com"),
            ("بريدي علي@مثال.موقع الآن", "علي@مثال.موقع"),
            ("ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
        ],
    );
    for nothing in ["@ada", "ada@localhost", "a @ b.com", "git@", "x@1.2"] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn telephone_numbers() {
    assert_all(
        Kind::Phone,
        &[
            ("Call +964 770 123 4567 today", "+964 770 123 4567"),
            ("+1 (415) 555-2671.", "+1 (415) 555-2671"),
            ("dial 0049 30 901820 now", "0049 30 901820"),
            ("(415) 555-2671", "(415) 555-2671"),
            ("my mobile is 0770 1234567", "0770 1234567"),
            ("اتصل على ٠٧٧٠١٢٣٤٥٦٧ مساء", "٠٧٧٠١٢٣٤٥٦٧"),
            ("هاتف: +٩٦٤ ٧٧٠ ١٢٣ ٤٥٦٧", "+٩٦٤ ٧٧٠ ١٢٣ ٤٥٦٧"),
            ("tel:+442079460958", "+442079460958"),
        ],
    );
    assert_eq!(
        found_in("0770 123 4567", &["IQ"]),
        [(Kind::Phone, "0770 123 4567")]
    );
    for nothing in [
        "0770 123 4567",
        "order 7701234567",
        "on 2026-11-21 12:50 and 21.11.2026",
        "1234567.89",
        "+1 23",
        "commit 1234567890abcdef",
        "hotel 12345678",
    ] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn accounts_and_cards() {
    assert_all(
        Kind::Iban,
        &[
            (
                "IBAN DE89 3704 0044 0532 0130 00 please",
                "DE89 3704 0044 0532 0130 00",
            ),
            ("GB82WEST12345698765432", "GB82WEST12345698765432"),
            ("de89370400440532013000,", "de89370400440532013000"),
            ("SA03 8000 0000 6080 1016 7519", "SA03 8000 0000 6080 1016 7519"),
        ],
    );
    assert_all(
        Kind::PaymentCard,
        &[
            ("card 4111 1111 1111 1111 12/29", "4111 1111 1111 1111"),
            ("5555-5555-5555-4444", "5555-5555-5555-4444"),
            ("378282246310005", "378282246310005"),
            ("بطاقتي ٤١١١ ١١١١ ١١١١ ١١١١", "٤١١١ ١١١١ ١١١١ ١١١١"),
        ],
    );
    for nothing in [
        "DE89 3704 0044 0532 0130 01",
        "4111 1111 1111 1112",
        "9111111111111111",
        "id_4111111111111111",
    ] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn addresses_of_machines() {
    assert_all(
        Kind::IpAddress,
        &[
            ("from 192.168.1.20, twice", "192.168.1.20"),
            ("from 203.0.113.9.", "203.0.113.9"),
            ("at 2001:db8::ff00:42:8329 it", "2001:db8::ff00:42:8329"),
        ],
    );
    for nothing in [
        "127.0.0.1",
        "version 1.2.3.4",
        "v1.2.3.4",
        "1.2.3.4.5",
        "300.1.1.1",
        "std::io",
        "12:30:45",
        "::",
    ] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn identity_documents() {
    assert_all(
        Kind::NationalId,
        &[
            ("SSN 219-09-9999", "219-09-9999"),
            ("NI number QQ 12 34 56 C? no: AB 12 34 56 C", "AB 12 34 56 C"),
            ("DNI 12345678Z", "12345678Z"),
            ("NIE X1234567L", "X1234567L"),
            ("CF RSSMRA85T10A562S", "RSSMRA85T10A562S"),
            ("身份证 11010519491231002X", "11010519491231002X"),
            ("TC 10000000146", "10000000146"),
            ("CPF 529.982.247-25", "529.982.247-25"),
            ("aadhaar 2341 2341 2346", "2341 2341 2346"),
            ("الرقم القومي 29001011234567", "29001011234567"),
            ("٢٩٠٠١٠١١٢٣٤٥٦٧", "٢٩٠٠١٠١١٢٣٤٥٦٧"),
            ("784-1984-1234567-4", "784-1984-1234567-4"),
            ("INSEE 1 85 05 78 006 084 91", "1 85 05 78 006 084 91"),
            ("passport A12345678", "A12345678"),
            ("رقم الهوية: 1987654321", "1987654321"),
        ],
    );
    for nothing in [
        "000-12-3456",
        "12345678A",
        "10000000147",
        "2341 2341 2347",
        "ISBN 9780306406157",
    ] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

#[test]
fn several_in_one_text_do_not_overlap() {
    let text = "ada@example.com (+964 770 123 4567), DE89370400440532013000 from 10.1.2.3";
    let kinds: Vec<Kind> = found(text).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Email, Kind::Phone, Kind::Iban, Kind::IpAddress]);
}

#[test]
fn identifiers_of_machines_are_not_personal() {
    for nothing in [
        "550e8400-e29b-41d4-a716-446655440000",
        "chatcmpl-0193f0aa4111111111111111",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "price 19.99 and 1,000,000 in 2026",
        "1732193400 seconds",
    ] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_parts_of_itself_in_order(text in "[\\PC٠-٩0-9+@. :-]{0,120}") {
        let mut end = 0;
        for finding in find(&text, &[phone::region("IQ").unwrap()]) {
            prop_assert!(finding.range.start >= end && finding.range.start < finding.range.end);
            prop_assert!(text.get(finding.range.clone()).is_some());
            end = finding.range.end;
        }
    }
}
