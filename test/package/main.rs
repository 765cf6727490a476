//! `erlrc package` and `dh_erlrc`: what dpkg, rpm, lintian and shellcheck say of what they make.

#[path = "../support/mod.rs"]
mod support;

mod debhelper;
mod golden;
mod hostile;
mod howto;
mod native;
mod project;
mod readers;
mod reproducible;
mod umbrella;
mod versions;
