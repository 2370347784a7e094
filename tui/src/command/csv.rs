//! Comma-separated values whose cells no spreadsheet takes for a formula.

/// One line of RFC 4180, without its end. A cell that a spreadsheet could run begins with an apostrophe.
pub(crate) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    cells.into_iter().map(cell).collect::<Vec<_>>().join(",")
}

fn cell(text: &str) -> String {
    // A leading space does not stop a spreadsheet from running what follows it.
    let runs = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\t', '\r', '|', '%'])
        || text.starts_with(['\t', '\r', '\n']);
    let text = if runs {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) || text.starts_with('\'') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        let hostile = [
            "=cmd()", "+1", "-1+1", "@SUM(A1)", " =1", "\t=1", "|x", "%y",
        ];
        for cell in hostile {
            let written = row([cell]);
            assert!(written.starts_with("\"'"), "{cell:?} became {written}");
        }
        assert_eq!(
            row(["plain", "a,b", "say \"x\"", ""]),
            "plain,\"a,b\",\"say \"\"x\"\"\","
        );
    }
}
