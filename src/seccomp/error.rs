//! What can be wrong with a profile.
#![forbid(unsafe_code)]

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No JSON, or not that of a profile. The text says where, by line and column.
    #[error("{0}")]
    Text(#[source] serde_json::Error),
    /// The filter would be longer than the kernel takes.
    #[error("its filter has {length} instructions, and the kernel takes {most} at most: use fewer rules with args")]
    TooLong {
        /// Instructions.
        length: usize,
        /// The kernel's limit.
        most: usize,
    },
}
