//! The ways in which the releases' `mesos-fetcher` is told what to fetch. Each stand-in for one looks at its own release's input
//! only, and fails as that release does if something of it is not there.

/// What a release's `mesos-fetcher` reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fetching {
    /// 0.19 to 0.21: `MESOS_EXECUTOR_URIS`, a list of `URI+[0|1][X|N]`, and the *sandbox* as `MESOS_WORK_DIRECTORY`.
    Variables,
    /// 0.22: JSON with `command_info` and `work_directory` in `MESOS_FETCHER_INFO`.
    CommandInfo,
    /// From 0.23 on: JSON with `items` and `sandbox_directory`.
    Items,
}

/// Not for JSON in general, but for what has no bracket in its texts.
const VARIABLES: &str = r#"
asked=$MESOS_EXECUTOR_URIS sandbox=$MESOS_WORK_DIRECTORY
for uri in $asked; do
    case $uri in
        ?*+[01][XN]) ;;
        *) echo "not in the form of 0.19: $uri" >&2; exit 92 ;;
    esac
done"#;

const COMMAND_INFO: &str = r#"
asked=$(info '"command_info" *: *{"uris" *: *\[\([^]]*\)\]}')
sandbox=$(info '"work_directory" *: *"\([^"]*\)"')"#;

const ITEMS: &str = r#"
asked=$(info '"items" *: *\[\([^]]*\)\]')
sandbox=$(info '"sandbox_directory" *: *"\([^"]*\)"')
case $asked in
    *'"action":"BYPASS_CACHE"'*) ;;
    *) echo "items without an action: $asked" >&2; exit 92 ;;
esac"#;

impl Fetching {
    /// A program that does this in the sandbox, with what it was asked for in `$asked`.
    pub fn program(self, script: &str) -> String {
        let read = match self {
            Fetching::Variables => VARIABLES,
            Fetching::CommandInfo => COMMAND_INFO,
            Fetching::Items => ITEMS,
        };
        format!(
            r#"info() {{ printf '%s' "$MESOS_FETCHER_INFO" | sed -n "s/.*$1.*/\1/p"; }}{read}
            case $MESOS_FETCHER_INFO in *:null*) echo "null is an error before 0.28" >&2; exit 93 ;; esac
            [ -n "$asked" ] && [ -n "$sandbox" ] || {{ echo "not told what to fetch or where" >&2; exit 91; }}
            cd "$sandbox" || exit 90
            set -e
{script}"#
        )
    }

    /// The variable that it reads.
    pub fn variable(self) -> &'static str {
        match self {
            Fetching::Variables => "MESOS_EXECUTOR_URIS",
            Fetching::CommandInfo | Fetching::Items => "MESOS_FETCHER_INFO",
        }
    }
}
