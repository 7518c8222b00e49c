//! Takes comments and literals out of Rust source, so that a rule about code is not broken by a sentence about it.
//!
//! A scanner, not a parser: it knows where comments, strings and characters begin and end, and keeps every line in its place.

/// A source without what a rule should not see.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Neither comments nor what stands inside string and character literals.
    pub(super) code: String,
    /// No comments; literals stay.
    pub(super) with_literals: String,
}

/// Scans one file.
pub(super) fn scan(source: &str) -> Scanned {
    let mut scanner =
        Scanner { rest: source, out: Scanned { code: String::new(), with_literals: String::new() } };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.out
}

struct Scanner<'a> {
    rest: &'a str,
    out: Scanned,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.drop(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.drop(block_comment_end(rest));
        } else if let Some(hashes) = raw_string(rest, self.out.code.chars().next_back()) {
            let open = rest.find('"').unwrap_or(0) + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let inside = rest[open..].find(&close).unwrap_or(rest.len() - open);
            self.keep(open);
            self.literal(inside);
            self.keep(close.len().min(self.rest.len()));
        } else if rest.starts_with('"') {
            self.keep(1);
            self.literal(string_end(self.rest));
            self.keep(usize::from(self.rest.starts_with('"')));
        } else if let Some(inside) = character(rest) {
            self.keep(1);
            self.literal(inside);
            self.keep(1);
        } else {
            self.keep(rest.chars().next().map_or(0, char::len_utf8));
        }
    }

    fn keep(&mut self, bytes: usize) {
        let (kept, rest) = self.rest.split_at(bytes);
        self.out.code.push_str(kept);
        self.out.with_literals.push_str(kept);
        self.rest = rest;
    }

    fn literal(&mut self, bytes: usize) {
        let (inside, rest) = self.rest.split_at(bytes);
        self.out.code.extend(inside.chars().filter(|c| *c == '\n'));
        self.out.with_literals.push_str(inside);
        self.rest = rest;
    }

    fn drop(&mut self, bytes: usize) {
        let (dropped, rest) = self.rest.split_at(bytes);
        let lines: String = dropped.chars().filter(|c| *c == '\n').collect();
        self.out.code.push_str(&lines);
        self.out.with_literals.push_str(&lines);
        self.rest = rest;
    }
}

/// Block comments nest.
fn block_comment_end(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The number of `#` of a raw string that begins here: `r"`, `r#"`, `br"` and so on.
fn raw_string(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The bytes up to the closing quote.
fn string_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    rest.len()
}

/// The bytes inside a character literal that begins here; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        let first = escape.chars().next()?.len_utf8();
        return escape[first..].find('\'').map(|end| 1 + first + end);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str, with_literals: &str) {
        let scanned = scan(source);
        assert_eq!(
            (scanned.code.as_str(), scanned.with_literals.as_str()),
            (code, with_literals),
            "{source}"
        );
        assert_eq!(scanned.code.lines().count(), source.lines().count(), "every line stays in its place");
    }

    #[test]
    fn comments_and_literals_go() {
        check("a // b\nc", "a \nc", "a \nc");
        check("a /* b /* c\n */ */ d", "a \n d", "a \n d");
        check(r#"x("// y", 'z')"#, r#"x("", '')"#, r#"x("// y", 'z')"#);
        check(r#"x("a\"b", '\'', '"', c)"#, r#"x("", '', '', c)"#, r#"x("a\"b", '\'', '"', c)"#);
        check("r#\"a\"b\"# + c", "r#\"\"# + c", "r#\"a\"b\"# + c");
        check(
            "fn f<'a>(x: &'a str) -> &'static str",
            "fn f<'a>(x: &'a str) -> &'static str",
            "fn f<'a>(x: &'a str) -> &'static str",
        );
        check("for_r\"a\"", "for_r\"\"", "for_r\"a\"");
        check("\"a\nb\"", "\"\n\"", "\"a\nb\"");
    }

    #[test]
    fn an_open_end_is_no_panic() {
        for source in ["\"a", "/* a", "r#\"a", "'", "'\\", "é", "'é'", "//"] {
            scan(source);
        }
    }
}
