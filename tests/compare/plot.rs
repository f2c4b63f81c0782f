//! The drawing: a panel of bars for each workload, and below them the curves.

use crate::flat::Curve;
use crate::markdown::count;
use crate::spread::number;
use crate::svg::{Svg, step};
use crate::system::{Dialect, System};
use crate::talk::Row;

const WIDTH: f64 = 470.0;
/// A bar, and what is left free below it.
const BAR: f64 = 13.0;
const GAP: f64 = 4.0;
/// What is left free around the bars of a panel: left, top, right, bottom.
const MARGIN: [f64; 4] = [118.0, 30.0, 48.0, 12.0];
const CURVE: f64 = 230.0;

/// Everything, in two columns.
pub(crate) fn draw(rows: &[Row], curves: &[Curve]) -> String {
    let systems: Vec<_> =
        System::ALL.into_iter().filter(|system| system.is_compared() && is_measured(rows, *system)).collect();
    let panel = MARGIN[1] + systems.len() as f64 * (BAR + GAP) + MARGIN[3];
    let lines = rows.len().div_ceil(2) as f64;
    let mut svg = Svg::new(2.0 * WIDTH, lines * panel + if curves.is_empty() { 0.0 } else { CURVE });
    for (number, row) in rows.iter().enumerate() {
        let origin = (WIDTH * (number % 2) as f64, panel * (number / 2) as f64);
        bars(&mut svg, origin, title(rows, number), row, &systems);
    }
    for (number, curve) in curves.iter().enumerate() {
        line(&mut svg, (WIDTH * number as f64, lines * panel), curve);
    }
    svg.end()
}

fn is_measured(rows: &[Row], system: System) -> bool {
    rows.iter().any(|row| row.cpu(system).is_some())
}

/// With what `the same` is.
fn title(rows: &[Row], number: usize) -> String {
    let row = rows[number].title;
    match row.strip_prefix("the same") {
        Some(rest) => {
            let before = rows[number - 1].title;
            format!("{}{rest}", before.rsplit_once(',').map_or(before, |(before, _)| before))
        }
        None => row.replace(": p50 / p99 in ms", ": p99, ms"),
    }
}

fn bars(svg: &mut Svg, (left, top): (f64, f64), title: String, row: &Row, systems: &[System]) {
    let value = |system| if row.is_paced() { row.p99(system) } else { row.cpu(system) };
    let most = systems.iter().filter_map(|system| value(*system)).map(|value| value.median).fold(0.0, f64::max);
    svg.text((left + 8.0, top + 20.0), "start", title);
    for (at, system) in systems.iter().enumerate() {
        let y = top + MARGIN[1] + at as f64 * (BAR + GAP);
        svg.text((left + MARGIN[0] - 6.0, y + BAR - 3.0), "end", system.title().replace("**", ""));
        let Some(value) = value(*system) else { continue };
        let width = (WIDTH - MARGIN[0] - MARGIN[2]) * value.median / most.max(f64::MIN_POSITIVE);
        svg.bar((left + MARGIN[0], y), (width.max(1.0), BAR), colour(*system));
        svg.text((left + MARGIN[0] + width + 5.0, y + BAR - 3.0), "start", number(value.median));
    }
}

fn line(svg: &mut Svg, (left, top): (f64, f64), curve: &Curve) {
    let medians = curve.costs.iter().flat_map(|(_, costs)| costs.iter().flatten()).map(|cost| cost.median);
    let most = medians.fold(0.0, f64::max).max(1e-3);
    let step = step(most);
    let most = (most / step).ceil().max(1.0) * step;
    let (left, right) = (left + 44.0, left + WIDTH - 30.0);
    let (title_at, top, bottom) = (top + 20.0, top + 54.0, top + CURVE - 44.0);
    let logs: Vec<_> = curve.numbers.iter().map(|number| f64::from(*number).log10()).collect();
    let (first, last) = (logs[0], logs[logs.len() - 1]);
    let x = |log: f64| left + (right - left) * (log - first) / (last - first).max(f64::MIN_POSITIVE);
    let y = |value: f64| bottom - (bottom - top) * value / most;

    svg.text((left - 36.0, title_at), "start", format_args!("{}: µs a delivery", curve.title));
    let mut value = 0.0;
    while value <= most * 1.001 {
        svg.grid((left, y(value)), (right, y(value)));
        svg.text(
            (left - 6.0, y(value) + 4.0),
            "end",
            format_args!("{:.3}", value).to_string().trim_end_matches('0').trim_end_matches('.'),
        );
        value += step;
    }
    for (number, log) in curve.numbers.iter().zip(&logs) {
        svg.text((x(*log), bottom + 17.0), "middle", count((*number).into()));
    }
    svg.text(((left + right) / 2.0, bottom + 34.0), "middle", curve.by);
    for (at, (system, costs)) in curve.costs.iter().enumerate() {
        let points: Vec<_> =
            logs.iter().zip(costs).filter_map(|(log, cost)| Some((x(*log), y((*cost)?.median)))).collect();
        svg.line(&points, colour(*system));
        let key = (left + 130.0 * at as f64, title_at + 18.0);
        svg.line(&[key, (key.0 + 20.0, key.1)], colour(*system));
        svg.text((key.0 + 28.0, key.1 + 4.0), "start", system.title().replace("**", ""));
    }
}

fn colour(system: System) -> &'static str {
    match system {
        System::Floor(_) => "#9ca3af",
        System::Ours(Dialect::Json, _) => "#1d4ed8",
        System::Ours(Dialect::Plain, _) => "#60a5fa",
        System::Peer(_) => "#fb923c",
    }
}
