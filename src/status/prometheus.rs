//! A report as metrics, in Prometheus' text format (version 0.0.4), as node_exporter's textfile
//! collector takes it. Without timestamps: that collector refuses them.

use super::{ApplicationStatus, Finding, NodeStatus, Report, State};
use std::fmt::Write;

/// One metric and its samples: labels and value.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Metric {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            samples: Vec::new(),
        }
    }

    fn with(
        mut self,
        samples: impl IntoIterator<Item = (Vec<(&'static str, String)>, f64)>,
    ) -> Self {
        self.samples.extend(samples);
        self
    }
}

/// The metrics of `report`. Names and labels are never renamed.
pub fn prometheus(report: &Report) -> String {
    let mut text = String::new();
    for metric in of_host(report)
        .into_iter()
        .chain(of_nodes(report))
        .chain(of_applications(report))
    {
        write(&mut text, &metric);
    }
    text
}

fn of_host(report: &Report) -> Vec<Metric> {
    vec![
        Metric::new(
            "erlrc_status_timestamp_seconds",
            "When these metrics were gathered.",
        )
        .with([(vec![], report.time.millis() as f64 / 1e3)]),
        Metric::new(
            "erlrc_pending_operations",
            "Operations that have been put off.",
        )
        .with([(vec![], report.pending.len() as f64)]),
    ]
}

fn of_nodes(report: &Report) -> Vec<Metric> {
    let label = |node: &NodeStatus| vec![("node", node.node.clone())];
    let each = |value: &dyn Fn(&NodeStatus) -> f64| -> Vec<_> {
        report
            .nodes
            .iter()
            .map(|node| (label(node), value(node)))
            .collect()
    };
    let up = || {
        report
            .nodes
            .iter()
            .filter_map(|node| Some((node, node.facts.as_ref()?)))
    };
    let info = up().map(|(node, facts)| {
        let more = [("otp_release", &facts.otp_release), ("erts", &facts.erts)];
        let erlrc = ("erlrc", facts.erlrc.clone().unwrap_or_default());
        let more = more.into_iter().map(|(name, value)| (name, value.clone()));
        (
            label(node).into_iter().chain(more).chain([erlrc]).collect(),
            1.0,
        )
    });
    let failed = |node: &NodeStatus| {
        let failed = |app: &&ApplicationStatus| app.findings.contains(&Finding::Failed);
        node.applications.iter().filter(failed).count() as f64
    };
    vec![
        Metric::new("erlrc_node_up", "Whether the node answers.")
            .with(each(&|node| f64::from(node.is_up()))),
        Metric::new("erlrc_node_info", "What the node runs on.").with(info),
        Metric::new(
            "erlrc_node_restart_needed",
            "Whether the emulator was replaced under the node.",
        )
        .with(each(&|node| f64::from(!node.restart_needed.is_empty()))),
        Metric::new(
            "erlrc_failed_operations",
            "Applications whose last operation on the node failed.",
        )
        .with(each(&failed)),
        Metric::new(
            "erlrc_old_code_modules",
            "Modules with processes in their old code.",
        )
        .with(up().map(|(node, facts)| (label(node), facts.old_code.len() as f64))),
        Metric::new(
            "erlrc_old_code_processes",
            "Processes in old code, counted once for each module.",
        )
        .with(up().map(|(node, facts)| {
            (
                label(node),
                facts.old_code.iter().map(|code| code.count as f64).sum(),
            )
        })),
    ]
}

fn of_applications(report: &Report) -> Vec<Metric> {
    let managed = || {
        let apps = report
            .nodes
            .iter()
            .flat_map(|node| node.applications.iter().map(move |app| (node, app)));
        apps.filter(|(_, app)| app.is_managed())
    };
    let label = |node: &NodeStatus, app: &ApplicationStatus| {
        vec![
            ("node", node.node.clone()),
            ("application", app.application.clone()),
        ]
    };
    let info = managed().map(|(node, app)| {
        let versions = [("running", &app.running), ("installed", &app.installed)];
        let more = versions
            .into_iter()
            .map(|(name, vsn)| (name, vsn.clone().unwrap_or_default()));
        (label(node, app).into_iter().chain(more).collect(), 1.0)
    });
    let known = || managed().filter(|(_, app)| app.state != State::Unknown);
    let running = known().map(|(node, app)| {
        let runs = matches!(app.state, State::Running | State::Included);
        (label(node, app), f64::from(runs))
    });
    let last = || managed().filter_map(|(node, app)| Some((node, app, app.last.as_ref()?)));
    vec![
        Metric::new("erlrc_application_info", "Versions of an application.").with(info),
        Metric::new(
            "erlrc_application_running",
            "Whether the application runs, by itself or inside another.",
        )
        .with(running),
        Metric::new(
            "erlrc_application_outdated",
            "Whether another version runs than is installed.",
        )
        .with(known().map(|(node, app)| {
            (
                label(node, app),
                f64::from(app.findings.contains(&Finding::OtherVersion)),
            )
        })),
        Metric::new(
            "erlrc_last_operation_timestamp_seconds",
            "When the last operation began.",
        )
        .with(last().map(|(node, app, last)| {
            let operation = [("operation", last.operation.clone())];
            (
                label(node, app).into_iter().chain(operation).collect(),
                last.time.millis() as f64 / 1e3,
            )
        })),
        Metric::new("erlrc_last_operation_success", "Whether it succeeded.")
            .with(last().map(|(node, app, last)| (label(node, app), f64::from(last.status == 0)))),
        Metric::new(
            "erlrc_last_pause_seconds",
            "The longest time for which it held processes.",
        )
        .with(
            last()
                .filter_map(|(node, app, last)| Some((label(node, app), last.pause? as f64 / 1e6))),
        ),
    ]
}

fn write(text: &mut String, metric: &Metric) {
    if metric.samples.is_empty() {
        return;
    }
    let Metric { name, help, .. } = metric;
    // Writing to a String does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in &metric.samples {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

/// Backslash, quote and line end, as the format has them.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
