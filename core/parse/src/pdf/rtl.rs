//! Repairs to what pdfium makes of words that are written from right to left.
//!
//! pdfium turns lines of such words around, and with them what must not be turned: the letters that one glyph stands for
//! (`لا` becomes `ال`). It leaves words alone that carry some vowel signs, so that these come backwards, and it takes the
//! gap that a sign leaves for a space. Where the glyphs stand on the page tells what is right.

/// A character and where its glyph begins, in points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    pub(super) code: u32,
    pub(super) x: f32,
    pub(super) y: f32,
}

/// Glyphs of one line differ at most by this in height.
const SAME_LINE: f32 = 2.0;
/// Glyphs that begin nearer than this begin at the same place.
const SAME_PLACE: f32 = 0.05;

/// Puts the letters of each word in the order in which they are read, and each vowel sign behind its letter.
pub(super) fn repair(glyphs: &[Glyph]) -> Vec<u32> {
    let mut repaired = Vec::with_capacity(glyphs.len());
    let mut rest = glyphs;
    while let Some(first) = rest.first() {
        let word = word(rest);
        if word == 0 {
            repaired.push(first.code);
            rest = &rest[1..];
        } else {
            write(&rest[..word], &mut repaired);
            rest = &rest[word..];
        }
    }
    repaired
}

/// Letters of scripts that are written from right to left, signs included.
pub(super) fn is_letter(code: u32) -> bool {
    is_sign(code)
        || matches!(code, 0x05d0..=0x05f4 | 0x0620..=0x064a | 0x066e..=0x06d3 | 0x06d5 | 0x06e5..=0x06ff | 0x0700..=0x08ff
            | 0xfb1d..=0xfdff | 0xfe70..=0xfefc)
}

/// Signs that stand above or below a letter.
fn is_sign(code: u32) -> bool {
    matches!(code, 0x0591..=0x05c7 | 0x0610..=0x061a | 0x064b..=0x065f | 0x0670 | 0x06d6..=0x06dc | 0x06df..=0x06e4)
}

/// The signs that only the end of a word has: no word begins behind a space before them.
fn is_tanwin(code: u32) -> bool {
    matches!(code, 0x064b..=0x064d)
}

/// How many glyphs from the beginning are one word, with the false spaces in it.
fn word(glyphs: &[Glyph]) -> usize {
    let Some(first) = glyphs.first().filter(|glyph| is_letter(glyph.code)) else {
        return 0;
    };
    let mut length = 1;
    let mut line = first.y;
    while let Some(next) = glyphs.get(length) {
        let is_false_space = next.code == 0x20
            && glyphs.get(length + 1).is_some_and(|sign| is_tanwin(sign.code))
            && glyphs
                .get(length + 2)
                .is_some_and(|letter| is_letter(letter.code));
        if !is_false_space && (!is_letter(next.code) || (next.y - line).abs() > SAME_LINE) {
            break;
        }
        if !is_sign(next.code) && !is_false_space {
            line = next.y;
        }
        length += 1;
    }
    length
}

fn write(word: &[Glyph], codes: &mut Vec<u32>) {
    let mut letters: Vec<Glyph> = word
        .iter()
        .copied()
        .filter(|g| g.code != 0x20 && !is_sign(g.code))
        .collect();
    let signs: Vec<Glyph> = word.iter().copied().filter(|g| is_sign(g.code)).collect();
    let (Some(first), Some(last)) = (letters.first(), letters.last()) else {
        codes.extend(word.iter().map(|glyph| glyph.code));
        return;
    };
    let was_turned = first.x >= last.x;
    letters.sort_by(|a, b| b.x.total_cmp(&a.x));
    let mut from = 0;
    while from < letters.len() {
        let glyph = letters[from];
        let same =
            |other: &Glyph| (other.x - glyph.x).abs() < SAME_PLACE && (other.y - glyph.y).abs() < SAME_PLACE;
        let length = letters[from..].iter().take_while(|other| same(other)).count();
        let cluster = &mut letters[from..from + length];
        if was_turned {
            cluster.reverse();
        }
        codes.extend(cluster.iter().map(|letter| letter.code));
        // A sign stands above the letter that begins at its place or left of it.
        let right = from
            .checked_sub(1)
            .map_or(f32::INFINITY, |before| letters[before].x);
        let left = if from + length == letters.len() {
            f32::NEG_INFINITY
        } else {
            glyph.x
        };
        let above = signs
            .iter()
            .filter(|sign| (left..right).contains(&(sign.x + SAME_PLACE)));
        codes.extend(above.map(|sign| sign.code));
        from += length;
    }
}

/// Turns brackets around in lines that balance only then: pdfium gives the glyphs' shapes, which are mirrored in words
/// from right to left.
pub(super) fn mirror_brackets(line: &str) -> Option<String> {
    if !line.contains(['(', '[', '{']) || !line.chars().any(|c| is_letter(u32::from(c))) || is_balanced(line)
    {
        return None;
    }
    let mirrored: String = line.chars().map(mirror).collect();
    is_balanced(&mirrored).then_some(mirrored)
}

fn mirror(character: char) -> char {
    match character {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        other => other,
    }
}

fn is_balanced(line: &str) -> bool {
    let mut open = Vec::new();
    for character in line.chars() {
        match character {
            '(' | '[' | '{' => open.push(mirror(character)),
            ')' | ']' | '}' if open.pop() != Some(character) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters with their places, from the right edge of a page.
    fn glyphs(places: &[(&str, f32)]) -> Vec<Glyph> {
        let at = |(letters, x): &(&str, f32)| {
            let x = *x;
            letters
                .chars()
                .map(move |c| Glyph {
                    code: u32::from(c),
                    x,
                    y: 700.0,
                })
                .collect::<Vec<_>>()
        };
        places.iter().flat_map(at).collect()
    }

    fn repaired(places: &[(&str, f32)]) -> String {
        repair(&glyphs(places))
            .into_iter()
            .filter_map(char::from_u32)
            .collect()
    }

    #[test]
    fn letters_of_one_glyph_keep_their_order() {
        // As in a file made by Word: the glyph of lam and alef at one place.
        assert_eq!(
            repaired(&[
                ("ا", 485.71),
                ("إل", 479.23),
                ("ن", 475.53),
                ("ت", 471.82),
                (" ", 468.0),
                ("R", 460.0)
            ]),
            "الإنت R"
        );
        assert_eq!(repaired(&[("ال", 100.0)]), "لا");
    }

    #[test]
    fn words_that_were_not_turned_are_turned() {
        // As in a file made by Typst.
        assert_eq!(
            repaired(&[
                ("ة", 452.38),
                ("د", 457.3),
                ("ا", 462.25),
                ("ع", 464.77),
                ("ً", 452.38)
            ]),
            "عادةً"
        );
    }

    #[test]
    fn signs_stand_behind_their_letters() {
        assert_eq!(
            repaired(&[
                ("أ", 220.58),
                ("ي", 217.7),
                (" ", 210.11),
                ("ً", 208.1),
                ("ض", 207.5),
                ("ا", 204.74),
                (" ", 201.7)
            ]),
            "أيضًا "
        );
        assert_eq!(
            repaired(&[("ك", 30.0), ("ت", 20.0), (" ", 15.0), ("ب", 10.0)]),
            "كت ب"
        );
    }

    #[test]
    fn other_text_is_left_alone() {
        assert_eq!(repaired(&[("abc", 5.0), ("1", 9.0), ("(", 1.0)]), "abc1(");
        let mut lines = glyphs(&[("ا", 10.0), ("ب", 500.0)]);
        lines[1].y = 680.0;
        assert_eq!(repair(&lines), vec![0x627, 0x628]);
    }

    #[test]
    fn brackets_are_mirrored_where_that_makes_pairs() {
        assert_eq!(
            mirror_brackets(")أي، المجموعة }0,1{(").as_deref(),
            Some("(أي، المجموعة {0,1})")
        );
        assert_eq!(mirror_brackets("(أي)"), None);
        assert_eq!(mirror_brackets("1) أولا"), None);
        assert_eq!(mirror_brackets("f)x("), None);
    }
}
