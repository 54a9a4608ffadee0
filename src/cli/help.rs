//! The texts of the help, written from the tables of flags and verbs.
#![forbid(unsafe_code)]

use super::layout::{NO_BREAK, entry, paragraph};
use super::tool::Tool;
use super::verb::Verb;
use crate::config::{FLAGS, Flag, VARIABLE_PREFIX};
use std::fmt::Write;

/// Where the descriptions of flags begin: behind the longest flag.
const COLUMN: usize = 38;

/// The name and version, as `--version` prints them, without a line break.
pub fn version() -> String {
    concat!("mesos-ecp ", env!("CARGO_PKG_VERSION")).to_owned()
}

/// The help of the whole program, with a line break at its end.
pub fn program_help() -> String {
    let config_file = Flag::named("config").map_or("", |flag| flag.default);
    let mut text = String::from(
        "mesos-ecp is an external containerizer program: a Mesos agent calls it to start, measure,\n\
         limit and end containers, each with the isolation that the flags below ask for.\n\
         \n\
         Usage: mesos-ecp [--flag=value...] VERB [--flag=value...]\n       \
         mesos-ecp help [VERB] | version\n       \
         mesos-ecp agent --workers=N -- COMMAND [ARGUMENT...]\n       \
         mesos-ecp run [--flag=value...] -- COMMAND [ARGUMENT...]\n\
         \n\
         Configure the agent (0.19 to 1.0) with\n  \
         --containerizers=external --containerizer_path=mesos-ecp\n\
         or, with flags, --containerizer_path=\"/usr/bin/mesos-ecp --isolation=posix/cpu\".\n\
         \n\
         Verbs (mesos-ecp help VERB says more):\n",
    );
    for verb in Verb::ALL {
        entry(&mut text, verb.name(), 14, verb.summary());
    }
    text.push_str("\nCommands for operators (mesos-ecp help COMMAND says more):\n");
    for about in Tool::ALL.iter().map(|tool| tool.about()) {
        entry(&mut text, about.name, 14, about.summary);
        for (flag, what) in about.flags {
            entry(&mut text, flag, COLUMN, what);
        }
    }
    text.push_str("\nFlags:\n");
    for flag in FLAGS {
        entry(&mut text, &flag.usage(), COLUMN, &described(flag));
    }
    text.push('\n');
    paragraph(
        &mut text,
        "LIST is names with commas between them, PATH is absolute, and DURATION is a number with one of the units \
         ns, us, ms, secs, mins, hrs, days, weeks, as 1.5mins.",
    );
    text.push_str("\nEnvironment:\n");
    entry(
        &mut text,
        &format!("{VARIABLE_PREFIX}<FLAG>"),
        COLUMN,
        "Sets the flag of that name (but not --format), written in upper case, where the command line does not. Empty \
         means unset. Ignored in launch when the task's environment sets it too, as agents before 0.23 let the task \
         overwrite it: what matters belongs on the command line.",
    );
    for flag in FLAGS {
        if let Some(variable) = flag.inherits {
            let what = format!("Set by the agent; the default of --{}.", flag.name);
            entry(&mut text, variable, COLUMN, &what);
        }
    }
    text.push_str("\nFile:\n");
    entry(
        &mut text,
        config_file,
        COLUMN,
        "Sets in TOML what neither command line nor environment does, by the names of the flags, as isolation = \"posix/cpu\". \
         Another file, or none, by --config. No task can set aside what it says. Must be root's or the caller's own, and \
         writable by nobody else.",
    );
    text.push_str("\nExit codes:\n");
    entry(&mut text, "0", 14, "Done. A record on standard output is complete.");
    entry(
        &mut text,
        "other",
        14,
        "Failed. Standard error says why, and standard output is void. It is never the exit code of a container: \
         see mesos-ecp help wait.",
    );
    text
}

/// The help of one verb, with a line break at its end.
pub fn verb_help(verb: Verb) -> String {
    let about = verb.about();
    let record = |message: Option<&str>, none: &str| match message {
        Some(message) => format!(
            "One record: 4 bytes of length, least significant first, and that many bytes of the protobuf message \
             {message}; with --format=json that message as one JSON object."
        ),
        None => none.to_owned(),
    };
    let mut text = format!("{}.\n\nUsage: mesos-ecp [--flag=value...] {}\n\n", about.summary, about.name);
    entry(&mut text, "stdin", 10, &record(about.reads, "Not read."));
    entry(&mut text, "stdout", 10, &record(about.writes, "Nothing."));
    entry(&mut text, "exit 0", 10, about.success);
    entry(&mut text, "other", 10, about.failure);
    let _ = write!(text, "\nExample:\n  {}\n", about.example);
    if about.example.contains("echo") {
        text.push_str("  (for a container whose id is c1)\n");
    }
    text.push_str("\nThe flags: mesos-ecp help\n");
    text
}

/// The help of one command for operators, with a line break at its end.
pub fn tool_help(tool: Tool) -> String {
    let about = tool.about();
    let mut text = format!("{}.\n\nUsage: mesos-ecp {} {}\n", about.summary, about.name, about.arguments);
    if !about.flags.is_empty() {
        text.push('\n');
    }
    for (flag, what) in about.flags {
        entry(&mut text, flag, 18, what);
    }
    for words in about.text {
        text.push('\n');
        paragraph(&mut text, words);
    }
    text.push_str("\nExit codes:\n");
    for (code, what) in about.exits {
        entry(&mut text, code, 18, what);
    }
    let _ = write!(text, "\nExample:\n  {}\n", about.example);
    text
}

/// A flag's help and its default.
fn described(flag: &Flag) -> String {
    match (flag.default, flag.inherits) {
        ("", None) => flag.help.to_owned(),
        ("", Some(variable)) => format!("{} [default:{NO_BREAK}${variable}]", flag.help),
        (default, _) => format!("{} [default:{NO_BREAK}{default}]", flag.help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layout::WIDTH;

    fn all() -> Vec<String> {
        let mut texts: Vec<String> = Verb::ALL.iter().map(|verb| verb_help(*verb)).collect();
        texts.extend(Tool::ALL.iter().map(|tool| tool_help(*tool)));
        texts.push(program_help());
        texts
    }

    #[test]
    fn every_flag_and_verb_appears_with_its_default() {
        let text = program_help();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for flag in FLAGS {
            assert!(text.contains(&format!("\n  {}", flag.usage())), "{}", flag.name);
            assert!(words.contains(&described(flag).replace(NO_BREAK, " ")), "{}", flag.name);
            assert!(words.contains(flag.default), "{}", flag.name);
        }
        for verb in Verb::ALL {
            assert!(words.contains(&format!("{} {}", verb.name(), verb.summary())), "{}", verb.name());
        }
        for about in Tool::ALL.iter().map(|tool| tool.about()) {
            assert!(words.contains(&format!("{} {}", about.name, about.summary)), "{}", about.name);
            for (flag, what) in about.flags {
                assert!(words.contains(&format!("{flag} {what}")), "{flag}");
            }
        }
        for needed in ["--containerizers=external --containerizer_path=mesos-ecp", "MESOS_ECP_<FLAG>", "Exit codes:"] {
            assert!(words.contains(needed), "{needed}");
        }
    }

    #[test]
    fn no_line_is_too_long_or_ends_in_a_space() {
        for text in all() {
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{text}");
            for line in text.lines() {
                assert!(line.len() <= WIDTH && line.trim_end() == line, "{line:?}");
            }
        }
    }

    #[test]
    fn descriptions_are_aligned() {
        let text = program_help();
        for flag in FLAGS {
            let mut lines = text.lines().skip_while(|line| !line.trim_start().starts_with(&flag.usage()));
            let beside = flag.usage().len() + 4 <= COLUMN;
            let line = if beside { lines.next() } else { lines.nth(1) }.unwrap_or_default();
            let first = flag.help.split(' ').next().unwrap_or_default();
            assert_eq!(line.find(&format!(" {first}")).map(|at| at + 1), Some(COLUMN), "{line:?}");
        }
    }

    #[test]
    fn the_help_of_a_verb_names_its_records() {
        assert!(verb_help(Verb::Launch).contains("mesos.containerizer.Launch;"));
        let usage = verb_help(Verb::Usage).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(usage.contains("mesos.containerizer.Usage;") && usage.contains("mesos.ResourceStatistics;"));
        assert!(verb_help(Verb::Recover).contains("Not read."));
        for verb in Verb::ALL {
            let about = verb.about();
            let text = verb_help(*verb).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(about.success) && text.contains(about.failure), "{}", about.name);
            assert!(verb_help(*verb).contains(about.example), "{}", about.name);
        }
    }

    #[test]
    fn the_help_of_a_command_for_operators() {
        for tool in Tool::ALL {
            let (about, text) = (tool.about(), tool_help(*tool));
            assert!(text.contains(&format!("Usage: mesos-ecp {} {}\n", about.name, about.arguments)));
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let listed = about.flags.iter().chain(about.exits).map(|(name, what)| format!("{name} {what}"));
            for part in listed.chain(about.text.iter().map(|words| (*words).to_owned())) {
                assert!(words.contains(&part), "{part}");
            }
            assert!(text.ends_with(&format!("{}\n", about.example)), "{text}");
        }
    }

    #[test]
    fn the_version() {
        assert_eq!(version(), format!("mesos-ecp {}", env!("CARGO_PKG_VERSION")));
    }
}
