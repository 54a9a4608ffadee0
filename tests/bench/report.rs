//! What has been measured, and where.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::guard::Places;
use crate::rivals::version;

/// The figures, in the order of their measurement.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

const MISSED: &str = "MISSED";

impl Table {
    /// A figure that nothing is demanded of.
    pub fn plain(&mut self, figure: impl Into<String>, value: f64, unit: &str) {
        self.0.push([figure.into(), with_unit(value, unit), String::new(), String::new()]);
    }

    /// A figure and what it must not exceed.
    pub fn bounded(&mut self, figure: impl Into<String>, value: f64, bound: f64, unit: &str) {
        // A figure that is no number misses its bound.
        let verdict = if value <= bound { "ok" } else { MISSED };
        let bound = format!("<= {bound}{}{unit}", if unit.is_empty() { "" } else { " " });
        self.0.push([figure.into(), with_unit(value, unit), bound, verdict.to_owned()]);
    }

    /// A figure that there is none of here.
    pub fn missing(&mut self, figure: impl Into<String>, reason: &str) {
        self.0.push([figure.into(), "-".to_owned(), String::new(), format!("no comparison ({reason})")]);
    }

    pub fn has_missed(&self) -> bool {
        self.0.iter().any(|row| row[3] == MISSED)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["figure", "value", "bound", "verdict"].map(str::to_owned);
        let rows = || std::iter::once(&heads).chain(&self.0);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [figure, value, bound, verdict] in rows() {
            let [a, b, c] = widths;
            let line = format!("{figure:a$}  {value:>b$}  {bound:c$}  {verdict}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    let value = if value < 100.0 { format!("{value:.3}") } else { format!("{value:.0}") };
    if unit.is_empty() { value } else { format!("{value} {unit}") }
}

/// Prints a line about the machine and one about the programs compared with.
pub fn print_machine(places: &Places) -> Result<()> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpus = std::thread::available_parallelism()?;
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("of unknown make", |(_, model)| model);
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or("?");
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(&places.state).output()?.stdout;
    let kind = String::from_utf8_lossy(&kind).trim().to_owned();
    println!("machine: Linux {}, {cpus} CPUs ({model}), load {load}, state on {kind}", kernel.trim());
    let known = ["runc", "crun", "bwrap"].map(|name| version(name).unwrap_or_else(|| format!("no {name}")));
    println!("others: {}", known.join(", "));
    Ok(())
}
