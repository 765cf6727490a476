//! The control file of a `.deb`: deb-control(5).

use super::document::description;
use crate::package::assemble::Package;
use crate::package::relation::Relation;

/// The file.
pub fn control(package: &Package) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        debug_assert!(!value.contains('\n'), "{name}: checked before");
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    };
    field("Package", &package.name);
    field("Version", &package.version.deb());
    field("Architecture", package.architecture.deb);
    field("Maintainer", &package.maintainer);
    field("Installed-Size", &package.entries.kibibytes().to_string());
    for (kind, relations) in &package.relations {
        let relations: Vec<_> = relations.iter().map(Relation::to_string).collect();
        field(kind.field(), &relations.join(", "));
    }
    field("Section", &package.section);
    field("Priority", &package.priority);
    field(
        "Multi-Arch",
        package.multi_arch.as_deref().unwrap_or_default(),
    );
    field("Homepage", package.homepage.as_deref().unwrap_or_default());
    field("Description", &package.summary);
    text + &description(&package.description)
}
