//! The modules of a plan, drawn in the order in which they are loaded.

use crate::cli::output::printable;
use crate::plan::Plan;
use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::Point;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;
use std::collections::HashMap;

/// The layout takes seconds from here on, and nobody could look at it.
const MOST: usize = 120;

/// The modules and applications of the script in its order, and the calls among them; none where there is
/// nothing to see or too much.
pub fn svg(plan: &Plan) -> Option<String> {
    let steps = plan.script.as_ref()?;
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut labels = Vec::new();
    for step in &steps.instructions {
        let Some(subject) = step.subject.as_deref() else {
            continue;
        };
        let next = places.len();
        if let std::collections::hash_map::Entry::Vacant(place) = places.entry(subject) {
            place.insert(next);
            labels.push(format!("{}. {}", next + 1, printable(subject)));
        }
    }
    if !(1..=MOST).contains(&labels.len()) {
        return None;
    }
    let mut graph = VisualGraph::new(Orientation::TopToBottom);
    let handles: Vec<_> = labels
        .iter()
        .map(|label| graph.add_node(element(label)))
        .collect();
    for (caller, callee) in &plan.modules.calls {
        let of = |name: &String| places.get(name.as_str()).copied();
        if let (Some(caller), Some(callee)) = (of(caller), of(callee)) {
            // What is loaded first stands above, whoever calls whom: no cycle is left to draw.
            let (first, later) = (caller.min(callee), caller.max(callee));
            graph.add_edge(arrow(caller < callee), handles[first], handles[later]);
        }
    }
    let mut writer = SVGWriter::new();
    graph.do_it(false, false, false, &mut writer);
    let drawn = writer.finalize();
    // Within a page there is no declaration of XML.
    Some(drawn[drawn.find("<svg")?..].to_owned())
}

fn element(label: &str) -> Element {
    let style = StyleAttr::new(
        Color::fast("black"),
        1,
        Some(Color::fast("aliceblue")),
        5,
        15,
    );
    #[allow(clippy::cast_precision_loss, reason = "a label has few characters")]
    let size = Point::new(label.chars().count() as f64 * 9.0 + 24.0, 36.0);
    let shape = ShapeKind::new_box(label);
    Element::create(shape, style, Orientation::TopToBottom, size)
}

fn arrow(caller_first: bool) -> Arrow {
    let (line, start, end) = if caller_first {
        (LineStyleKind::Dashed, LineEndKind::None, LineEndKind::Arrow)
    } else {
        (LineStyleKind::Normal, LineEndKind::Arrow, LineEndKind::None)
    };
    let look = StyleAttr::new(Color::fast("black"), 1, None, 0, 12);
    Arrow::new(start, end, line, "", &look, &None, &None)
}
