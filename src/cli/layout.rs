//! Text in columns and lines of a bounded width.
#![forbid(unsafe_code)]

use std::fmt::Write;

/// No line is longer, in columns.
pub(super) const WIDTH: usize = 100;
/// Becomes a space at which no line is broken.
pub(super) const NO_BREAK: char = '\u{a0}';

/// A name at the margin with its description beside it, or below it where the name is too long.
pub(super) fn entry(text: &mut String, name: &str, column: usize, description: &str) {
    let mut line = format!("  {name}");
    if line.len() + 2 > column {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    let _ = write!(line, "{:width$}", "", width = column - line.len());
    wrap(text, line, column, description);
}

/// Running text from margin to margin.
pub(super) fn paragraph(text: &mut String, words: &str) {
    wrap(text, String::new(), 0, words);
}

/// Adds words to a line that reaches to `column` already, in as many lines as they need.
fn wrap(text: &mut String, mut line: String, column: usize, words: &str) {
    for word in words.split(' ') {
        if line.len() > column && line.len() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(column);
        }
        if line.len() > column {
            line.push(' ');
        }
        line.push_str(&word.replace(NO_BREAK, " "));
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_longer_than_the_line_stands_alone() {
        let mut text = String::new();
        entry(&mut text, "a-name-that-is-too-long", 10, &format!("one {} two", "x".repeat(WIDTH)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["  a-name-that-is-too-long", "          one"]);
        assert_eq!((lines[2].trim_start().len(), lines[3]), (WIDTH, "          two"));
    }

    #[test]
    fn a_protected_space_keeps_words_on_one_line() {
        let mut text = String::new();
        paragraph(&mut text, &format!("{} [default:{NO_BREAK}5]", "x".repeat(WIDTH - 11)));
        assert!(text.ends_with("x\n[default: 5]\n"), "{text}");
        let mut text = String::new();
        paragraph(&mut text, &format!("{} [default:{NO_BREAK}5]", "x".repeat(WIDTH - 13)));
        assert!(text.ends_with("x [default: 5]\n"), "{text}");
    }
}
