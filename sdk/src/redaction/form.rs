//! The fields of a form as browsers send it, and where their values are.

use std::ops::Range;

/// One field: the steps of its name (`user[address][city]`), where its value is, and the value as it was meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) path: Vec<String>,
    pub(super) place: Range<usize>,
    pub(super) value: Vec<u8>,
}

/// The fields of `text`, which is `application/x-www-form-urlencoded`.
pub(super) fn fields(text: &str) -> Vec<Field> {
    let mut at = 0;
    let mut fields = Vec::new();
    for pair in text.split('&') {
        let start = at;
        at += pair.len() + 1;
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let from = start + name.len() + 1;
        fields.push(Field {
            path: steps(&String::from_utf8_lossy(&decoded(name))),
            place: from..from + value.len(),
            value: decoded(value),
        });
    }
    fields
}

/// Whether contents of this type are forms.
pub(super) fn is_form(media_type: Option<&str>) -> bool {
    media_type.is_some_and(|stated| {
        let essence = stated.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// `user[address][]` as `user`, `address`: what stands in brackets is a step within.
fn steps(name: &str) -> Vec<String> {
    let Some((first, rest)) = name.split_once('[') else {
        return vec![name.to_owned()];
    };
    let Some(rest) = rest.strip_suffix(']') else {
        return vec![name.to_owned()];
    };
    let within = rest.split("][").filter(|step| !step.is_empty());
    std::iter::once(first)
        .chain(within)
        .map(str::to_owned)
        .collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                        bytes = ahead;
                    }
                    _ => out.push(b'%'),
                }
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_meant() {
        let text = "user%5Bname%5D=J%C3%BCrgen+X&tags[]=a%2&empty=&alone&x=1=2";
        let found: Vec<(String, &str, String)> = fields(text)
            .into_iter()
            .map(|field| {
                let value = String::from_utf8(field.value).unwrap();
                (field.path.join("/"), &text[field.place], value)
            })
            .collect();
        let expected = [
            ("user/name", "J%C3%BCrgen+X", "Jürgen X"),
            ("tags", "a%2", "a%2"),
            ("empty", "", ""),
            ("x", "1=2", "1=2"),
        ];
        assert_eq!(
            found,
            expected.map(|(path, raw, value)| (path.to_owned(), raw, value.to_owned()))
        );
        assert!(is_form(Some(
            "Application/X-WWW-form-urlencoded; charset=utf-8"
        )));
        assert!(!is_form(Some("application/json")) && !is_form(None));
    }
}
