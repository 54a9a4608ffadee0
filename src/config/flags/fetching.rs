//! The flags that have to do with fetching a command's URIs, beside `--fetch_timeout` and those of `mesos-fetcher`.
#![forbid(unsafe_code)]

use super::{Flag, Kind};

pub(in crate::config) static FETCH_AS: Flag = Flag {
    name: "fetch_as",
    kind: Kind::Text,
    default: "user",
    inherits: None,
    help: "Whose rights URIs are fetched with: user (those of the container's user) or root (as the agent's own \
           containerizer does; what was fetched is then given to the user).",
};
pub(in crate::config) static FETCHER_CONNECT_TIMEOUT: Flag = Flag {
    name: "fetcher_connect_timeout",
    kind: Kind::Duration,
    default: "10secs",
    inherits: None,
    help: "How long connecting to a server may take. More than zero.",
};
pub(in crate::config) static FETCHER_STALL_TIMEOUT: Flag = Flag {
    name: "fetcher_stall_timeout",
    kind: Kind::Duration,
    default: "1mins",
    inherits: None,
    help: "How long a server may send nothing before fetching fails. More than zero.",
};
pub(in crate::config) static FETCHER_SIZE_LIMIT: Flag = Flag {
    name: "fetcher_size_limit",
    kind: Kind::Bytes,
    default: "16GB",
    inherits: None,
    help: "How large one download may be, and all that one archive extracts to.",
};
pub(in crate::config) static FETCHER_CACHE_DIR: Flag = Flag {
    name: "fetcher_cache_dir",
    kind: Kind::Path,
    default: "",
    inherits: None,
    help: "Where downloads of URIs with cache are kept for later containers, apart for each user. Unset: \
           /var/cache/mesos-ecp for root, $XDG_CACHE_HOME/mesos-ecp or ~/.cache/mesos-ecp for others.",
};
pub(in crate::config) static FETCHER_CACHE_SIZE: Flag = Flag {
    name: "fetcher_cache_size",
    kind: Kind::Bytes,
    default: "2GB",
    inherits: None,
    help: "How much of each user's downloads is kept there; the least recently used go first. 0B: nothing is kept.",
};
