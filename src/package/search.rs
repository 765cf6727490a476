//! What `dpkg-query --search` prints: which packages have which files.

/// The packages of each file, without their architectures. A diversion is no package.
pub fn owners(printed: &str) -> impl Iterator<Item = (impl Iterator<Item = &str>, &str)> {
    let lines = printed.lines();
    let lines = lines.filter(|line| !line.starts_with("diversion "));
    let lines = lines.filter_map(|line| line.split_once(": "));
    lines.map(|(packages, file)| (packages.split(", ").map(plain), file))
}

fn plain(package: &str) -> &str {
    package.split(':').next().unwrap_or_default()
}
