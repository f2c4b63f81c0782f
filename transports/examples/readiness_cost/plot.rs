//! The drawing: four panels, by hand.

use std::fmt::Write;

use qun_transports::readiness::PollerKind;

use crate::measure::{Cost, Load};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 210.0;
/// What is left free around the lines of a panel: left, top, right, bottom.
const MARGIN: [f64; 4] = [46.0, 34.0, 28.0, 40.0];
/// Where the panels begin: above them is the key.
const TOP: f64 = 34.0;

/// What a panel shows.
struct Panel {
    title: &'static str,
    load: Load,
    value: fn(&Cost) -> Option<f64>,
}

/// The costs as a drawing.
pub(crate) fn svg(costs: &[Cost]) -> String {
    let time: fn(&Cost) -> Option<f64> = |cost| Some(cost.time[1]);
    let panels = [
        Panel { title: "CPU a delivery, µs: one room talks", load: Load::One, value: time },
        Panel { title: "CPU a delivery, µs: all rooms talk", load: Load::All, value: time },
        Panel { title: "System calls a delivery: one room talks", load: Load::One, value: Cost::all_calls },
        Panel { title: "System calls a delivery: all rooms talk", load: Load::All, value: Cost::all_calls },
    ];
    let (width, height) = (2.0 * WIDTH, TOP + 2.0 * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#222\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (number, poller) in PollerKind::ALL.into_iter().enumerate() {
        let x = MARGIN[0] + 110.0 * number as f64;
        line(&mut svg, number, &[(x, 20.0), (x + 24.0, 20.0)]);
        text(&mut svg, (x + 34.0, 24.0), "start", poller.as_str());
    }
    for (number, panel) in panels.iter().enumerate() {
        let origin = (WIDTH * (number % 2) as f64, TOP + HEIGHT * (number / 2) as f64);
        draw(&mut svg, origin, panel, costs);
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, (left, top): (f64, f64), panel: &Panel, costs: &[Cost]) {
    // Panels of one row have one scale, so that they can be compared.
    let most = costs.iter().filter_map(|cost| (panel.value)(cost)).fold(0.0, f64::max);
    let step = step(most);
    let most = (most / step).ceil().max(1.0) * step;
    let (right, bottom) = (left + WIDTH - MARGIN[2], top + HEIGHT - MARGIN[3]);
    let (left, top) = (left + MARGIN[0], top + MARGIN[1]);
    let x = |connections: f64| left + (right - left) * (connections.log10() - 1.0) / 3.0;
    let y = |value: f64| bottom - (bottom - top) * value / most;

    text(svg, (left, top - 14.0), "start", panel.title);
    let mut value = 0.0;
    while value <= most * 1.001 {
        grid(svg, (left, y(value)), (right, y(value)));
        text(svg, (left - 6.0, y(value) + 4.0), "end", &format!("{value}"));
        value += step;
    }
    for (connections, name) in [(10.0, "10"), (100.0, "100"), (1_000.0, "1,000"), (10_000.0, "10,000")] {
        text(svg, (x(connections), bottom + 17.0), "middle", name);
    }
    text(svg, ((left + right) / 2.0, bottom + 33.0), "middle", "connections");
    for (number, poller) in PollerKind::ALL.into_iter().enumerate() {
        let of = costs.iter().filter(|cost| cost.poller == poller && cost.load == panel.load);
        let points: Vec<_> =
            of.filter_map(|cost| Some((x(cost.connections as f64), y((panel.value)(cost)?)))).collect();
        line(svg, number, &points);
    }
}

/// A step of 1, 2 or 5 times a power of ten, of which about five reach `most`.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|times| times * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power)
}

/// One poller's line, of a colour of its own and thinner than the one before: where they lie on each other all are seen.
fn line(svg: &mut String, number: usize, points: &[(f64, f64)]) {
    let (colour, width) = [("#fb923c", 6.0), ("#1d4ed8", 3.0), ("#4ade80", 1.5)][number % 3];
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"");
    let _ = writeln!(svg, "<polyline points=\"{}\" {style}/>", path.join(" "));
    for (x, y) in points {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\" fill=\"{colour}\"/>", width / 2.0 + 2.0);
    }
}

fn grid(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let ends = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
    let _ = writeln!(svg, "<line {ends} stroke=\"#ddd\"/>");
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}
