//! What a framework wants fetched: a line for each URI; behind a tab the name that it is to have, before a `!` that it is a program, and before
//! a `-` that it is not to be extracted.
#![forbid(unsafe_code)]

use super::plan::Step;
use super::{Job, Uri, plan, shown};
use crate::fuzzing::text;

/// Whatever it is, what is fetched goes to a name below the sandbox that is not the container's output, from an absolute path or a URI;
/// and with our own program nothing of the web is left to another.
pub(crate) fn body(data: &[u8]) {
    let uris: Vec<Uri> = text(data).lines().map(uri).collect();
    uris.iter().for_each(|uri| drop(shown(&uri.value)));
    let job = Job {
        container: "c".into(),
        sandbox: "/sandbox".into(),
        frameworks_home: Some("/frameworks".into()),
        launcher_dir: Some("/libexec".into()),
        ..Job::default()
    };
    // Each by itself, and all of them.
    for some in uris.chunks(1).chain([uris.as_slice()]) {
        for own in [None, Some("/libexec/mesos-ecp-fetch".into())] {
            let job = Job { uris: some.to_vec(), ..job.clone() };
            let has_own = own.is_some();
            match plan(&job, || own) {
                Ok(plan) => plan.steps.iter().for_each(|step| check(step, has_own)),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

fn uri(line: &str) -> Uri {
    let (value, name) = line.split_once('\t').map_or((line, None), |(value, name)| (value, Some(name.to_owned())));
    let (value, executable) = value.strip_prefix('!').map_or((value, false), |rest| (rest, true));
    let (value, extract) = value.strip_prefix('-').map_or((value, true), |rest| (rest, false));
    Uri { executable, extract, output_file: name, ..Uri::new(value) }
}

fn check(step: &Step, has_own: bool) {
    match step {
        Step::Copy(local) => {
            assert!(local.from.is_absolute() && !local.from.to_string_lossy().contains('\0'));
            below(&local.to);
        }
        Step::Own(items) => items.iter().for_each(|item| below(&item.to)),
        Step::HandOver(uris) => {
            let web = |uri: &Uri| uri.value.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
            assert!(!uris.iter().any(|uri| uri.value.contains(['\\', '\'', '\0']) || (has_own && web(uri))));
        }
    }
}

fn below(to: &[String]) {
    let plain = |name: &String| {
        !name.is_empty() && name.len() < 256 && name != "." && name != ".." && !name.contains(['/', '\0'])
    };
    assert!(to.iter().all(plain) && to.first().is_some_and(|name| name != "stdout" && name != "stderr"), "{to:?}");
}
