//! What a load came to, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use qun_transports::load::{Churned, Entered, Idled, Latency, Outcome, Pace, Plan, Section, Spent, Talked, Traffic};
use serde_json::{Value, json};

/// A table, in words, for a terminal of so many columns.
pub(super) fn table(plan: &Plan, outcome: &Outcome, columns: usize) -> String {
    let mut table = format!("{}\n", title(plan));
    match outcome {
        Outcome::Talked(talked) => of_talk(plan, talked, &mut table),
        Outcome::Idled(idled) => of_idling(idled, &mut table),
        Outcome::Churned(churned) => of_churn(churned, &mut table),
    }
    table.lines().map(|line| folded(line, columns)).collect()
}

/// A line, and as many more as it takes; what does not fit goes on below the values.
fn folded(line: &str, columns: usize) -> String {
    let indent = if line.starts_with(' ') { VALUES } else { 2 };
    let mut out = String::new();
    let mut rest = line;
    let mut free = columns;
    // A line is broken before a word, and only where that leaves something on it.
    while rest.chars().count() > free
        && let Some((end, next)) = rest.char_indices().nth(free)
        && let Some(space) = rest[..end + next.len_utf8()].rfind(' ').filter(|&at| !rest[..at].trim().is_empty())
    {
        let _ = write!(out, "{}\n{:indent$}", rest[..space].trim_end(), "");
        rest = &rest[space + 1..];
        free = columns.saturating_sub(indent).max(1);
    }
    out + rest + "\n"
}

/// The column in which values begin.
const VALUES: usize = 17;

fn title(plan: &Plan) -> String {
    let (rooms, members, seconds) = (plan.doors.len(), plan.members, plan.time.as_secs_f64());
    let who = format!("{}: {} × {}", plan.protocol, count(rooms, "room"), count(members as usize, "member"));
    match plan.traffic {
        Traffic::Talk | Traffic::Stalled => {
            let pace = match plan.pace {
                Pace::Window(window) => format!("{window} in flight each"),
                Pace::Rate(rate) if rate >= 100.0 => format!("{} messages a second", whole(rate)),
                Pace::Rate(rate) => format!("{rate} messages a second"),
            };
            let senders = count(plan.senders as usize, "sender");
            format!("{who}, {senders} each, {} B, {pace}, {seconds} s", plan.bytes)
        }
        Traffic::Idle => format!("{who}, idle for {seconds} s"),
        Traffic::Churn => format!("{who} at a time come and go for {seconds} s"),
    }
}

fn of_talk(plan: &Plan, talked: &Talked, table: &mut String) {
    of_entering(&talked.entered, table);
    for (index, section) in talked.sections.iter().enumerate() {
        if talked.sections.len() > 1 {
            let who = ["everyone reads", "one member of the first room reads nothing"][index.min(1)];
            let _ = writeln!(table, "{who}:");
        }
        let Section { spent, said, delivered, bytes, worst_second, latency } = section;
        let per_second = |n: &u64| whole(*n as f64 / spent.time.as_secs_f64());
        row(table, "messages", &format!("{}/s, delivered {}/s", per_second(said), per_second(delivered)));
        if *delivered > 0 {
            row(table, "frames", &format!("{:.1} B each", *bytes as f64 / *delivered as f64));
        }
        costs(table, spent, *delivered, "a delivery");
        latencies(table, latency);
        if let Some(worst) = worst_second {
            row(table, "worst second", &format!("{} deliveries", whole(*worst as f64)));
        }
    }
    let faults = talked.faults;
    row(
        table,
        "faults",
        &format!(
            "lost {}, duplicated {}, out of order {}, leaked to another room {}",
            faults.lost, faults.duplicated, faults.disordered, faults.leaked
        ),
    );
    if faults.lost > 0 && plan.protocol.is_quns() {
        table.push_str(
            "(who reads too slowly misses messages, and is told which: is the load generator short of a processor?)\n",
        );
    }
}

fn of_idling(idled: &Idled, table: &mut String) {
    of_entering(&idled.entered, table);
    let n = idled.entered.members as f64;
    if let (Some(before), Some(after)) = (idled.before, idled.spent.resident) {
        let each = (after as f64 - before.resident as f64) / n / 1024.0;
        row(table, "server memory", &format!("{} in all, {each:.2} KiB a connection", mebibytes(after)));
    }
    if let Some([before, after]) = idled.kernel {
        let each = (after as f64 - before as f64) / n / 1024.0;
        row(table, "kernel memory", &format!("{each:.2} KiB a connection, both ends of it"));
    }
    if let Some(cpu) = idled.spent.server {
        let share = 100.0 * cpu.as_secs_f64() / idled.spent.time.as_secs_f64();
        row(table, "server CPU", &format!("{share:.2} % of a core"));
    }
}

fn of_churn(churned: &Churned, table: &mut String) {
    let per_second = churned.cycles as f64 / churned.spent.time.as_secs_f64();
    row(table, "cycles", &format!("{}, {}/s", whole(churned.cycles as f64), whole(per_second)));
    costs(table, &churned.spent, churned.cycles, "a cycle");
    latencies(table, &churned.latency);
}

fn of_entering(entered: &Entered, table: &mut String) {
    let Entered { members, spent } = entered;
    let cpu = spent.server_each(*members as u64).map(|each| format!(", {each:.1} µs of server CPU each"));
    row(
        table,
        "entered",
        &format!("{} in {:.2} s{}", whole(*members as f64), spent.time.as_secs_f64(), cpu.unwrap_or_default()),
    );
}

fn costs(table: &mut String, spent: &Spent, n: u64, what: &str) {
    if n == 0 {
        return;
    }
    if let Some(each) = spent.server_each(n) {
        let memory = spent.resident.map(|bytes| format!(", memory {}", mebibytes(bytes))).unwrap_or_default();
        row(table, "server CPU", &format!("{each:.3} µs {what}{memory}"));
    }
    row(table, "load CPU", &format!("{:.3} µs {what}", spent.load_each(n)));
}

fn latencies(table: &mut String, latency: &Latency) {
    let quantiles = QUANTILES.map(|(name, share)| format!("{name} {}", ms(latency.quantile(share)))).join(", ");
    row(table, "latency", &format!("{quantiles}, max {} ms", ms(latency.max())));
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

fn row(table: &mut String, name: &str, value: &str) {
    let _ = writeln!(table, "  {name:<14} {value}");
}

fn count(n: usize, what: &str) -> String {
    format!("{} {what}{}", whole(n as f64), if n == 1 { "" } else { "s" })
}

/// With commas.
fn whole(n: f64) -> String {
    let digits = format!("{n:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// One object on one line. Times are in seconds, latencies in milliseconds, costs in microseconds of processor time.
pub(super) fn json(plan: &Plan, outcome: &Outcome) -> String {
    let (window, rate) = match plan.pace {
        Pace::Window(window) => (Some(window), None),
        Pace::Rate(rate) => (None, Some(rate)),
    };
    let result = match outcome {
        Outcome::Talked(talked) => json!({
            "entered": entered_json(&talked.entered),
            "sections": talked.sections.iter().map(section_json).collect::<Vec<_>>(),
            "faults": {
                "lost": talked.faults.lost,
                "duplicated": talked.faults.duplicated,
                "disordered": talked.faults.disordered,
                "leaked": talked.faults.leaked,
            },
        }),
        Outcome::Idled(idled) => json!({
            "entered": entered_json(&idled.entered),
            "resident": [idled.before.map(|usage| usage.resident), idled.spent.resident],
            "kernel": idled.kernel,
            "server_cpu_s": idled.spent.server.map(|cpu| cpu.as_secs_f64()),
            "time_s": idled.spent.time.as_secs_f64(),
        }),
        Outcome::Churned(churned) => json!({
            "cycles": churned.cycles,
            "time_s": churned.spent.time.as_secs_f64(),
            "server_us": churned.spent.server_each(churned.cycles),
            "load_us": churned.spent.load_each(churned.cycles),
            "latency_ms": latency_json(&churned.latency),
        }),
    };
    let document = json!({
        "load": match plan.traffic {
            Traffic::Talk => "talk",
            Traffic::Stalled => "stalled",
            Traffic::Idle => "idle",
            Traffic::Churn => "churn",
        },
        "protocol": plan.protocol.as_str(),
        "rooms": plan.doors.len(),
        "members": plan.members,
        "senders": plan.senders,
        "bytes": plan.bytes,
        "window": window,
        "rate": rate,
        "result": result,
    });
    format!("{document}\n")
}

fn entered_json(entered: &Entered) -> Value {
    json!({
        "members": entered.members,
        "time_s": entered.spent.time.as_secs_f64(),
        "server_us": entered.spent.server_each(entered.members as u64),
    })
}

fn section_json(section: &Section) -> Value {
    json!({
        "time_s": section.spent.time.as_secs_f64(),
        "said": section.said,
        "delivered": section.delivered,
        "delivered_bytes": section.bytes,
        "server_us": section.spent.server_each(section.delivered),
        "load_us": section.spent.load_each(section.delivered),
        "resident": section.spent.resident,
        "worst_second": section.worst_second,
        "latency_ms": latency_json(&section.latency),
    })
}

fn latency_json(latency: &Latency) -> Value {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let quantiles = QUANTILES.map(|(name, share)| (name.to_owned(), json!(ms(latency.quantile(share)))));
    let max = ("max".to_owned(), json!(ms(latency.max())));
    Value::Object(quantiles.into_iter().chain([max]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_whole_words() {
        let line = "  latency        p50 23.17, p90 37.92, p99 45.38, max 54.88 ms";
        assert_eq!(folded(line, 80), format!("{line}\n"));
        let narrow = folded(line, 40);
        assert_eq!(narrow, "  latency        p50 23.17, p90 37.92,\n                 p99 45.38, max 54.88 ms\n");
        assert_eq!(folded("relay: 10 rooms × 100 members", 12), "relay: 10\n  rooms ×\n  100\n  members\n");
        assert_eq!(folded("endless", 3), "endless\n");
    }
}
