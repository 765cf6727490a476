//! The boot order as a graph: for Graphviz, and drawn.

use super::order::{Application, BootOrder};
use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::Point;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;
use std::collections::{HashMap, HashSet};

/// The layout takes seconds from here on, and nobody could look at it.
const MOST: usize = 150;

/// A graph of more nodes is not for looking at.
const READABLE: usize = 1000;

/// A line from one application to another one.
struct Edge<'o> {
    from: &'o str,
    to: &'o str,
    includes: bool,
}

/// The graph in the language of Graphviz, what starts first at the bottom.
pub fn dot(order: &BootOrder) -> String {
    let mut text = String::from("digraph boot {\n  rankdir=BT;\n  node [shape=box];\n");
    for application in &order.applications {
        let style = match (&application.included_by, application.registered) {
            (Some(_), _) => ", style=dashed",
            (None, true) => ", style=bold",
            (None, false) => "",
        };
        let (name, label) = (quoted(&application.name), quoted(&label(application)));
        text.push_str(&format!("  {name} [label={label}{style}];\n"));
    }
    for Edge { from, to, includes } in edges(order) {
        let style = if includes {
            " [style=dashed, label=\"includes\"]"
        } else {
            ""
        };
        text.push_str(&format!("  {} -> {}{style};\n", quoted(from), quoted(to)));
    }
    text.push_str("}\n");
    text
}

/// The graph drawn; none where it is too large for that.
pub fn svg(order: &BootOrder) -> Option<String> {
    if order.applications.len() > MOST {
        return None;
    }
    let mut graph = VisualGraph::new(Orientation::TopToBottom);
    let mut handles = HashMap::new();
    for application in &order.applications {
        let handle = graph.add_node(element(application));
        handles.insert(application.name.as_str(), handle);
    }
    for edge in edges(order) {
        if let (Some(&from), Some(&to)) = (handles.get(edge.from), handles.get(edge.to)) {
            // What starts first stands above, the arrow points at it.
            graph.add_edge(arrow(edge.includes), to, from);
        }
    }
    let mut writer = SVGWriter::new();
    graph.do_it(false, false, false, &mut writer);
    Some(writer.finalize())
}

fn element(application: &Application) -> Element {
    let colour = match (&application.included_by, application.registered) {
        (Some(_), _) => "whitesmoke",
        (None, true) => "lightblue",
        (None, false) => "white",
    };
    let style = StyleAttr::new(Color::fast("black"), 1, Some(Color::fast(colour)), 5, 15);
    let text = label(application);
    let longest = text
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let lines = text.lines().count();
    #[allow(clippy::cast_precision_loss, reason = "a label has few characters")]
    let size = Point::new(longest as f64 * 9.0 + 24.0, lines as f64 * 18.0 + 18.0);
    Element::create(
        ShapeKind::new_box(&text),
        style,
        Orientation::TopToBottom,
        size,
    )
}

fn arrow(includes: bool) -> Arrow {
    let (line, text) = if includes {
        (LineStyleKind::Dashed, "includes")
    } else {
        (LineStyleKind::Normal, "")
    };
    let look = StyleAttr::new(Color::fast("black"), 1, None, 0, 12);
    Arrow::new(
        LineEndKind::Arrow,
        LineEndKind::None,
        line,
        text,
        &look,
        &None,
        &None,
    )
}

fn label(application: &Application) -> String {
    format!("{}\n{}", application.name, application.vsn)
}

/// A text of Graphviz.
pub fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// All inclusions, and the dependencies that do not follow from others; in a graph that is too
/// large to look at, all of them.
fn edges(order: &BootOrder) -> Vec<Edge<'_>> {
    let direct: HashMap<&str, &Vec<String>> = order
        .applications
        .iter()
        .map(|application| (application.name.as_str(), &application.depends_on))
        .collect();
    let mut edges = Vec::new();
    for application in &order.applications {
        let from = application.name.as_str();
        let implied = match order.applications.len() {
            0..=READABLE => implied(application, &direct),
            _ => HashSet::new(),
        };
        let needed = application
            .depends_on
            .iter()
            .filter(|to| !implied.contains(to.as_str()));
        edges.extend(needed.map(|to| Edge {
            from,
            to,
            includes: false,
        }));
        edges.extend(application.includes.iter().map(|to| Edge {
            from,
            to,
            includes: true,
        }));
    }
    edges
}

/// What the dependencies of an application depend on themselves, through others too.
fn implied<'o>(
    application: &'o Application,
    direct: &HashMap<&'o str, &'o Vec<String>>,
) -> HashSet<&'o str> {
    let mut implied: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = application.depends_on.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        for next in direct.get(name).into_iter().flat_map(|names| names.iter()) {
            if implied.insert(next) {
                open.push(next);
            }
        }
    }
    implied
}
