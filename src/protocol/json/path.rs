//! Where in a message something is: `task_info.resources[1].name`.
#![forbid(unsafe_code)]

use std::fmt;

/// The fields that lead to a place, each with an index if it is within an array.
#[derive(Debug, Default)]
pub(super) struct Path(Vec<(&'static str, Option<usize>)>);

impl Path {
    pub(super) fn enter(&mut self, field: &'static str) {
        self.0.push((field, None));
    }

    /// Says which element of the innermost field's array it is, from 0.
    pub(super) fn at(&mut self, index: usize) {
        if let Some((_, at)) = self.0.last_mut() {
            *at = Some(index);
        }
    }

    /// The array as a whole.
    pub(super) fn after_the_last(&mut self) {
        if let Some((_, at)) = self.0.last_mut() {
            *at = None;
        }
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// With a field that was not entered.
    pub(super) fn to(&self, field: &str) -> String {
        if self.0.is_empty() { field.to_owned() } else { format!("{self}.{field}") }
    }
}

/// Empty at the top.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, at)) in self.0.iter().enumerate() {
            let dot = if n == 0 { "" } else { "." };
            match at {
                Some(at) => write!(f, "{dot}{name}[{at}]")?,
                None => write!(f, "{dot}{name}")?,
            }
        }
        Ok(())
    }
}
